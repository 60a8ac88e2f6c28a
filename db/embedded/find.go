package embedded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/internal/tail"
)

// Source says where server binaries come from: this machine, else a fetched copy.
type Source struct {
	// Binaries is a folder of server binaries, or the address (https, http or file) of a Maven repository to fetch them
	// from. Nothing else is looked for then. Default: what is on this machine, else a copy from Maven Central.
	Binaries string
	// Offline forbids fetching.
	Offline bool
	// Progress, if set, is called with each report of a fetch.
	Progress func(Progress)

	fetching fetching
}

// Environment returns the Source of the environment variables POSTGRES_BINARIES and EXPLORER_OFFLINE.
func Environment() Source {
	s := Source{Binaries: os.Getenv("POSTGRES_BINARIES")}
	switch strings.ToLower(os.Getenv("EXPLORER_OFFLINE")) {
	case "", "0", "false", "no":
	default: // a value that cannot be read keeps the program off the network
		s.Offline = true
	}
	return s
}

// or fills in what is left open.
func (s Source) or(other Source) Source {
	if s.Binaries == "" {
		s.Binaries = other.Binaries
	}
	s.Offline = s.Offline || other.Offline
	return s
}

// Installation is a folder of server binaries.
type Installation struct {
	// Bin is the folder that holds postgres and initdb.
	Bin string
	// Version is, e.g., 15.18; empty if postgres does not run.
	Version string
	// Major is the major version; 0 if postgres does not run.
	Major int
	// Fetched says that this program fetched it.
	Fetched bool
	// Problem returns why it cannot be used. Find and Search set it.
	Problem error
}

// Search is the result of Source.Search.
type Search struct {
	// Found is what a server would run from; nil if there is nothing.
	Found *Installation
	// Unusable is what was found before that and cannot be used.
	Unusable []Installation
	// Fetch is what would be fetched; nil if Found is set or nothing can be fetched.
	Fetch *Archive
	// Err returns why no server can be run, if neither Found nor Fetch is set.
	Err error
}

// oldest is the oldest major version that is run.
const oldest = 14

// Remedy is the advice for a machine without server binaries.
const Remedy = "install Postgres 14 or newer (Debian: apt-get install postgresql; macOS: brew install postgresql), " +
	"set POSTGRES_BINARIES to a folder of server binaries or to a Maven repository that can be reached, or (all but " +
	"demo) set DATABASE_URL"

// neededExtensions are those that the migrations create.
var neededExtensions = []string{"pg_trgm", "unaccent"}

// Folders returns every folder in which Postgres's programs may be, servers and clients alike: those of this machine
// first, then the fetched ones.
func Folders() []string {
	s := Environment()
	return append(s.folders(), s.copies()...)
}

// Search looks for server binaries that can run dir, and fetches nothing.
func (s Source) Search(dir string) Search {
	var result Search
	want := 0
	if b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION")); err == nil { //nolint:gosec // in our data directory
		want, err = strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			result.Err = fmt.Errorf("data directory %s is of Postgres %.20q, which is no version that can be run", dir, b)
			return result
		}
	}
	if err := s.Check(); err != nil {
		result.Err = err
		return result
	}
	var candidates []Installation
	for _, bin := range s.folders() {
		if i, ok := look(bin); ok {
			candidates = append(candidates, i)
		}
	}
	slices.SortStableFunc(candidates, func(a, b Installation) int { return cmp.Compare(b.rank(), a.rank()) })
	broken := false
	try := func(i Installation) bool {
		if i.Problem == nil && want != 0 && i.Major != want {
			i.Problem = fmt.Errorf("is Postgres %d, and the data is of %d", i.Major, want)
		} else if i.Problem == nil {
			i.Problem = probe(i.Bin)
			broken = broken || i.Fetched && i.Problem != nil
		}
		if i.Problem != nil {
			result.Unusable = append(result.Unusable, i)
			return false
		}
		result.Found = &i
		return true
	}
	if slices.ContainsFunc(candidates, try) {
		return result
	}
	for _, bin := range s.copies() { // last: what the user installed comes first
		i, _ := look(bin)
		i.Fetched = true
		broken = broken || i.Problem != nil
		if try(i) {
			return result
		}
	}
	s.unavailable(dir, want, broken, &result)
	return result
}

// rank orders installations by when they are tried: the newest first, after those that do not run, which are told of.
func (i Installation) rank() int {
	if i.Major == 0 {
		return math.MaxInt
	}
	return i.Major
}

// unavailable fills in what to do when no binaries can be used: fetch them, or tell why not.
func (s Source) unavailable(dir string, want int, broken bool, result *Search) {
	archive, err := s.archive()
	var why string
	switch {
	case s.isFolder():
		why = "POSTGRES_BINARIES " + s.Binaries + " has none that can be used"
		if len(result.Unusable) == 0 {
			why += ": there is no bin/postgres in it"
		}
	case broken:
		why = "the fetched ones cannot run here"
	case err != nil:
		why = err.Error()
	case want != 0 && archive.major() != want:
		why = fmt.Sprintf("only those of Postgres %d can be fetched", archive.major())
	case s.Offline:
		why = "none may be fetched (--offline or EXPLORER_OFFLINE)"
	default:
		result.Fetch = archive
		return
	}
	var reasons []string
	for _, i := range result.Unusable {
		reasons = append(reasons, fmt.Sprintf("%s %s", i.Bin, i.Problem))
	}
	found := "no Postgres server binaries"
	if want != 0 {
		found = fmt.Sprintf("data directory %s was made by Postgres %d, whose server binaries are missing", dir, want)
	}
	if s.Binaries == "" {
		found += " (looked in PATH, /usr/lib/postgresql, Homebrew and the cache)"
	}
	if len(reasons) > 0 {
		why += " (" + strings.Join(reasons, "; ") + ")"
	}
	help := Remedy
	if want != 0 {
		help = fmt.Sprintf("install Postgres %d, set POSTGRES_BINARIES to a folder of its server binaries, or set DATA_DIR "+
			"or DATABASE_URL", want)
	}
	result.Err = fmt.Errorf("%s, and %s: %s", found, why, help)
}

// Ensure returns server binaries that can run dir, and fetches them if there are none.
func (s Source) Ensure(ctx context.Context, dir string) (*Installation, error) {
	switch found := s.Search(dir); {
	case found.Found != nil:
		return found.Found, nil
	case found.Fetch != nil:
		return s.fetch(ctx, found.Fetch)
	default:
		return nil, found.Err
	}
}

// folders are the folders of this machine that may hold Postgres's programs, without fetched ones.
func (s Source) folders() []string {
	if s.Binaries != "" {
		if !s.isFolder() {
			return nil
		}
		bin := filepath.Join(s.Binaries, "bin")
		if _, err := os.Stat(bin); err != nil {
			bin = s.Binaries
		}
		if abs, err := filepath.Abs(bin); err == nil { // servers are started in another folder
			bin = abs
		}
		return []string{bin}
	}
	if s.fetching.machine != nil {
		return s.fetching.machine
	}
	var folders []string
	add := func(dir string) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
		if !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			add(filepath.Dir(real))
		}
	}
	for _, pattern := range installed() {
		found, _ := filepath.Glob(pattern)
		slices.Reverse(found)
		for _, dir := range found {
			add(dir)
		}
	}
	return folders
}

// program is the file of one of Postgres's programs.
func program(bin, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(bin, name)
}

// look says what a folder holds; false if it holds no server.
func look(bin string) (Installation, bool) {
	i := Installation{Bin: bin}
	if _, err := os.Stat(program(bin, "postgres")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return i, false
		}
		i.Problem = fmt.Errorf("cannot be read: %w", err)
		return i, true
	}
	out, err := output(nil, program(bin, "postgres"), "--version")
	if err != nil {
		i.Problem = err
		return i, true
	}
	for _, f := range strings.Fields(out) { // postgres (PostgreSQL) 15.18 (Debian ...)
		major := f[:len(f)-len(strings.TrimLeft(f, "0123456789"))] // 19beta1 is 19
		if v, err := strconv.Atoi(major); err == nil {
			i.Version, i.Major = f, v
			break
		}
	}
	switch {
	case i.Major == 0:
		i.Problem = fmt.Errorf("is of an unknown version: %.80q", strings.TrimSpace(out))
	case i.Major < oldest:
		i.Problem = fmt.Errorf("is Postgres %d, and %d or newer is needed", i.Major, oldest)
	}
	return i, true
}

// probe returns why a server cannot be made from the binaries in a folder; nil if it can. It has the programs
// themselves say so: a missing library, file, time zone or right shows as it would at the start.
func probe(bin string) error {
	owner, err := serverOwner()
	if err != nil {
		return nil //nolint:nilerr // the start says so
	}
	bin = serverPath(bin)
	if _, err := os.Stat(program(bin, "initdb")); err != nil {
		return errors.New("has no initdb")
	}
	settings, err := output(owner, program(bin, "initdb"), "--show", "-D",
		serverPath(filepath.Join(os.TempDir(), "explorer-none")))
	if err != nil {
		return err
	}
	share, config := setting(settings, "share_path"), os.DevNull
	if runtime.GOOS == "windows" { // whose NUL Postgres takes for a file
		config = filepath.Join(share, "postgresql.conf.sample") // which sets nothing
	}
	if share != "" {
		for _, name := range neededExtensions {
			if _, err := os.Stat(filepath.Join(share, "extension", name+".control")); err != nil {
				return fmt.Errorf("has no extension %s (Fedora and others: install postgresql-contrib)", name)
			}
		}
	}
	// Any folder does for the data, but the root of a volume may be a link on Windows, which Postgres refuses.
	_, err = output(owner, program(bin, "postgres"), "-D", bin, "-c", "config_file="+config, "-c",
		"timezone=America/Toronto", "-C", "TimeZone")
	return err
}

func setting(text, name string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && k == name {
			return v
		}
	}
	return ""
}

// output runs a program of Postgres and returns what it printed.
func output(o *owner, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // a path we found
	cmd.Dir = filepath.VolumeName(path) + string(filepath.Separator)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = o.attributes()
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out // initdb tells on the one, postgres on the other
	err := cmd.Run()
	text := out.String()
	if err == nil {
		return text, nil
	}
	name := filepath.Base(path)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s does not answer", name)
	case !errors.As(err, &exit) && o != nil && errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("cannot be run by user %s, as whom root runs Postgres: %w", o.name, err)
	case !errors.As(err, &exit):
		return "", fmt.Errorf("cannot be run: %w", err)
	}
	line := tail.LastLine([]byte(text))
	if _, fatal, ok := strings.Cut(text, "FATAL:"); ok { // its details follow
		line, _, _ = strings.Cut(strings.TrimSpace(fatal), "\n")
	}
	if line != "" {
		return "", fmt.Errorf("cannot run %s: %s", name, line)
	}
	return "", fmt.Errorf("cannot run %s: %w", name, err)
}

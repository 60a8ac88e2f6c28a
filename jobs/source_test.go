package jobs_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/simulate"
)

// source is both services that the pipeline fetches from, with their controls and the truth about what they serve.
// There is a simulated one, always, and one of real records where those are.
type source struct {
	control, openParliament, legisinfo string
	// sessions are those that there are on the last day, the oldest first.
	sessions []string
	// raws are LEGISinfo's own records of a session, as known on the last day.
	raws func(t testing.TB, session string) []json.RawMessage
}

// replay is the source of real records.
type replay = source

// lastDay is the day that sources serve unless they are told another.
var lastDay = time.Date(2026, 6, 18, 0, 0, 0, 0, time.UTC)

// sourcesHere are what starts a source as it stood on a day, by name. The simulated source has all the oddities of the
// real one, and a tenth of the bills: the real records, which take ten times as long, are for the tests without the
// race detector.
func sourcesHere() map[string]func(t testing.TB, asOf time.Time) source {
	here := map[string]func(t testing.TB, asOf time.Time) source{"simulate": startSimulation}
	if replayIsHere() && !dbtest.UnderRace {
		here["replay"] = func(t testing.TB, asOf time.Time) source {
			t.Helper()
			return startReplay(t, asOf)
		}
	}
	return here
}

// forEachSource runs a test on every source that is here, as it stood on a day.
func forEachSource(t *testing.T, asOf time.Time, f func(t *testing.T, r source)) {
	t.Helper()
	for name, start := range sourcesHere() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, start(t, asOf))
		})
	}
}

// startSimulation serves a Parliament with all the oddities of the records.
func startSimulation(t testing.TB, asOf time.Time) source {
	t.Helper()
	o := simulate.Options{Codes: []string{"36-1", "43-1", "43-2", "44-1", "45-1"}, Bills: 140, AsOf: lastDay}
	truth, err := simulate.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	o.AsOf = asOf
	world, err := simulate.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(world.Handler(simulate.Faults{}))
	t.Cleanup(s.Close)
	return source{
		control: s.URL + "/control", openParliament: s.URL, legisinfo: s.URL, sessions: truth.Sessions(),
		raws: func(_ testing.TB, session string) []json.RawMessage { return truth.Records(session) },
	}
}

// replayFolder holds a server with real records. It is no part of the project.
const replayFolder = "../../shared/replay"

func replayIsHere() bool {
	_, err := os.Stat(replayFolder)
	return err == nil
}

// replays are the servers that run; those that no test uses just now are idle. One takes seconds to read its records,
// so a test takes one that another has left.
var replays struct {
	sync.Mutex
	bin  string
	idle []replay
	all  []*exec.Cmd
}

// startReplay is for tests of what certain records say; the others are for each source.
func startReplay(t testing.TB, asOf time.Time) replay {
	t.Helper()
	if !replayIsHere() {
		t.Skip("the replay server is not here")
	}
	if dbtest.UnderRace {
		t.Skip("real records are read without the race detector: they take minutes under it") // .ci/run has a step for them
	}
	r, err := takeReplay()
	if err != nil {
		t.Fatal(err)
	}
	// As it was when it began, whatever the test before it did.
	r.post(t, "/faults?500=0&429=0&truncate=0&drop=0&html=0&latency=0s&rps=0&outage=false&max_concurrent=8&seed=1")
	r.post(t, "/clock?as_of="+asOf.Format(time.DateOnly))
	r.post(t, "/reset")
	t.Cleanup(func() {
		if t.Failed() {
			return // it may be in whatever state
		}
		replays.Lock()
		defer replays.Unlock()
		replays.idle = append(replays.idle, r)
	})
	return r
}

// takeReplay gives a server that is idle, or starts another.
func takeReplay() (replay, error) {
	replays.Lock()
	defer replays.Unlock()
	if n := len(replays.idle); n > 0 {
		r := replays.idle[n-1]
		replays.idle = replays.idle[:n-1]
		return r, nil
	}
	if replays.bin == "" {
		dir, err := os.MkdirTemp("", "replay-")
		if err != nil {
			return replay{}, err
		}
		bin := filepath.Join(dir, "replay.exe") // the name that Windows wants
		build := exec.Command("go", "build", "-o", bin, ".")
		build.Dir = replayFolder
		if out, err := build.CombinedOutput(); err != nil {
			return replay{}, fmt.Errorf("%w: %s", err, out)
		}
		replays.bin = bin
	}
	cmd := exec.Command(
		replays.bin, "-control", "127.0.0.1:0", "-openparliament", "127.0.0.1:0", "-legisinfo", "127.0.0.1:0",
	)
	cmd.Dir = replayFolder
	cmd.SysProcAttr = ownGroup()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return replay{}, err
	}
	if err := cmd.Start(); err != nil {
		return replay{}, err
	}
	replays.all = append(replays.all, cmd)
	r := replay{raws: corpusOf}
	files, err := filepath.Glob(replayFolder + "/corpus/*.jsonl.gz")
	if err != nil {
		return replay{}, err
	}
	for _, file := range files { // by name is by age, here
		r.sessions = append(r.sessions, strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"))
	}
	into := map[string]*string{"control": &r.control, "openparliament": &r.openParliament, "legisinfo": &r.legisinfo}
	listening := regexp.MustCompile(`(control|openparliament|legisinfo) on (http://\S+)`)
	lines := bufio.NewScanner(stderr)
	for len(into) > 0 && lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			*into[m[1]] = m[2]
			delete(into, m[1])
		}
	}
	if len(into) > 0 {
		return replay{}, errors.Join(errors.New("replay did not start"), lines.Err())
	}
	go io.Copy(io.Discard, stderr)
	return r, nil
}

// stopReplays ends all servers, after the last test.
func stopReplays() {
	for _, cmd := range replays.all {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if replays.bin != "" {
		_ = os.RemoveAll(filepath.Dir(replays.bin))
	}
}

func (r source) post(t testing.TB, path string) {
	t.Helper()
	resp, err := http.Post(r.control+path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, resp.Status)
	}
}

type stats struct {
	Requests    int            `json:"requests"`
	ByPath      map[string]int `json:"by_path"`
	MaxInFlight int            `json:"max_in_flight"`
	MaxInSecond int            `json:"max_in_any_second"`
	DefaultUA   int            `json:"default_user_agent"`
}

func (r source) stats(t testing.TB) (openParliament, legisinfo stats) {
	t.Helper()
	resp, err := http.Get(r.control + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var s struct{ OpenParliament, Legisinfo stats }
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s.OpenParliament, s.Legisinfo
}

func (s stats) path(part string) int {
	n := 0
	for p, count := range s.ByPath {
		if strings.Contains(p, part) {
			n += count
		}
	}
	return n
}

// record is what LEGISinfo says of a bill.
type record struct {
	ParliamentNumber, SessionNumber                                   int
	NumberPrefix, NumberCode                                          string
	Number                                                            int
	PassedHouseFirstReadingDateTime, PassedSenateFirstReadingDateTime *string
	ReceivedRoyalAssentDateTime                                       *string
	StatuteYear, StatuteChapter                                       *int
}

func (r record) id() string {
	return fmt.Sprintf("%d-%d/%s", r.ParliamentNumber, r.SessionNumber, r.NumberCode)
}

func (r record) introduced() string {
	first := ""
	for _, d := range []*string{r.PassedHouseFirstReadingDateTime, r.PassedSenateFirstReadingDateTime} {
		if d != nil && len(*d) >= 10 && (first == "" || (*d)[:10] < first) {
			first = (*d)[:10]
		}
	}
	return first
}

// records are those of some sessions, or of all.
func (r source) records(t testing.TB, sessions ...string) []record {
	t.Helper()
	if len(sessions) == 0 {
		sessions = r.sessions
	}
	var all []record
	for _, session := range sessions {
		for _, raw := range r.raws(t, session) {
			var b record
			if err := json.Unmarshal(raw, &b); err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
	}
	return all
}

// corpusOf reads the real records of a session.
func corpusOf(t testing.TB, session string) []json.RawMessage {
	t.Helper()
	f, err := os.Open(filepath.Join(replayFolder, "corpus", session+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		all = append(all, slices.Clone(lines.Bytes()))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// sessionConfig is the config of a fetch of a session.
func sessionConfig(code string) string {
	p, s, _ := strings.Cut(code, "-")
	return fmt.Sprintf(`{"parliament": %s, "session": %s}`, p, s)
}

package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/parliament-explorer/parliament-explorer/simulate"
)

type docsCheck struct {
	simulation http.Handler
	t          *testing.T
	contract   *openapi3.T
	services   types.Services
	targets    map[string]bool // of the Makefile
	variables  map[string]bool
	metrics    map[string]bool
	flags      map[string]bool // of all commands

	where                     string
	faults                    []string
	commands, requests, spans int
}

var (
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	request    = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) (/\S*)$`)
	barePath   = regexp.MustCompile(`^/[a-z][^\s]*$`)
	ourFile    = regexp.MustCompile(
		`^(?:deploy|docs|sdk|server|db|jobs|cli|web|orchestrator|parliament|\.ci)/[\w./*@-]+$`)
	oneFlag     = regexp.MustCompile(`^(--[a-z][a-z-]*)`)
	metricName  = regexp.MustCompile(`explorer_[a-z_]+[a-z]`)
	variable    = regexp.MustCompile(`^\$?\{?([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]|[A-Z][A-Z0-9_]+)(?:\}|=.*)?$`)
	environment = regexp.MustCompile(
		`(?:os\.(?:Getenv|LookupEnv)\(|Setenv\(|environ\[|getenv\(|process\.env\.)"?([A-Z][A-Z0-9_]+)`)
	composeName = regexp.MustCompile(`\$\{([A-Z_]+)`)
	makeName    = regexp.MustCompile(`\b([A-Z][A-Z_]+)\b`)
	psVariable  = regexp.MustCompile(`(?m)^\s*\$env:(\w+)\s*=.*$`)
)

// onMachine are where paths are those of a machine rather than the API's.
var onMachine = regexp.MustCompile(`^/(?:etc|var|usr|srv|tmp|opt|dev|proc|run/user|explorer|sys|lib|mnt|bin)(?:/|$| )`)

// written are the files, and a parameter, that CONTRIBUTING.md has the reader write.
var written = map[string]bool{
	"statute_year":        true,
	"jobs/count_bills.go": true, "jobs/count_bills_test.go": true, "web/src/pages/laws.tsx": true,
	"db/migrations/00023_statute_year.sql": true,
}

// beside are paths that the server has beside the contract's.
var beside = regexp.MustCompile(`^/(?:ui|docs|riverui|debug/pprof)(?:/.*)?$|^/(?:robots\.txt|sitemap\.xml)?$`)

// foreign are variables that other programs read.
var foreign = map[string]bool{
	"PGPASSWORD": true, "PGHOST": true, "PGUSER": true, "GOMEMLIMIT": true, "GOFLAGS": true,
	"VERSION": true, "POSTGRES_PASSWORD": true, "POSTGRES_USER": true, "POSTGRES_DB": true,
	"CGO_ENABLED": true, "GOOS": true, "GOARCH": true, "DESTDIR": true, "PATH": true,
	"SOURCE_DATE_EPOCH": true, "HTTPS_PROXY": true,
	"NAME": true, // as an example of any
}

func newDocsCheck(t *testing.T) *docsCheck {
	t.Helper()
	c := &docsCheck{
		t: t, targets: map[string]bool{}, variables: known(), metrics: map[string]bool{}, flags: map[string]bool{},
	}
	var err error
	world, err := simulate.NewWorld(simulate.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.simulation = world.Handler(simulate.Faults{})
	if c.contract, err = openapi3.NewLoader().LoadFromFile("../openapi.yaml"); err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "..", ConfigFiles: []types.ConfigFile{{Filename: "../docker-compose.yml"}},
		Environment: types.Mapping{"POSTGRES_PASSWORD": "x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.services = project.Services
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllSubmatch(makefile, -1) {
		c.targets[string(m[1])] = true
	}
	note := func(pattern *regexp.Regexp, raw []byte, into map[string]bool) {
		for _, m := range pattern.FindAllSubmatch(raw, -1) {
			into[string(m[1])] = true
		}
	}
	note(makeName, makefile, c.variables)
	compose, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	note(composeName, compose, c.variables)
	quoted := regexp.MustCompile(`"(explorer_[a-z_]+)"`)
	for _, source := range sources() {
		note(environment, source, c.variables)
		note(quoted, source, c.metrics)
	}
	var all func(*kong.Node)
	all = func(n *kong.Node) {
		for _, f := range n.Flags {
			c.flags["--"+f.Name] = true
		}
		for _, child := range n.Children {
			all(child)
		}
	}
	all(c.parser().Model.Node)
	return c
}

// sources are the program's own.
func sources() [][]byte {
	var out [][]byte
	_ = filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"node_modules", ".git", "dist", "testdata"}, d.Name()):
			return filepath.SkipDir
		case slices.Contains([]string{".go", ".ts", ".py", ".sh"}, filepath.Ext(path)),
			d.Name() == "run", d.Name() == "contract":
			if raw, err := os.ReadFile(path); err == nil {
				out = append(out, raw)
			}
		}
		return nil
	})
	return out
}

func (c *docsCheck) parser() *kong.Kong {
	var cmds commands
	parser, err := kong.New(&cmds,
		kong.Name("explorer"), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		c.t.Fatal(err)
	}
	return parser
}

func (c *docsCheck) fault(format string, args ...any) {
	c.faults = append(c.faults, c.where+": "+fmt.Sprintf(format, args...))
}

// file checks a text: code and links in Markdown, comments in other files.
func (c *docsCheck) file(name, text string) {
	c.where = name
	switch {
	case strings.HasSuffix(name, ".sh"): // shellcheck and its own test see to it
		return
	case !strings.HasSuffix(name, ".md"):
		c.other(text)
		return
	}
	var prose strings.Builder
	for i, part := range strings.Split("\n"+text, "\n```") {
		if i%2 == 0 {
			prose.WriteString(part + "\n")
			continue
		}
		language, code, _ := strings.Cut(part, "\n")
		switch strings.TrimSpace(language) {
		case "sh", "bash", "console":
			c.script(code, false)
		case "powershell", "pwsh", "ps1":
			c.powershell(code)
		}
	}
	for _, m := range inlineCode.FindAllStringSubmatch(prose.String(), -1) {
		c.span(m[1])
	}
	for _, m := range link.FindAllStringSubmatch(inlineCode.ReplaceAllString(prose.String(), ""), -1) {
		c.link(name, m[1])
	}
}

// other checks units, manifests and rules.
func (c *docsCheck) other(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		comment, isComment := strings.CutPrefix(line, "#")
		if isComment && strings.HasPrefix(comment, "   ") {
			c.script(comment, false)
			continue
		}
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			if _, inner, ok := strings.Cut(command, "exec "); ok {
				command = strings.TrimSuffix(inner, "'")
			}
			c.script(strings.NewReplacer("%i", "9091", "$$", "$", "%%", "%").Replace(command), false)
		}
		for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
			c.span(m[1])
		}
		for _, m := range request.FindAllStringSubmatch(line, -1) {
			c.request(m[1], m[2])
		}
	}
}

// programs are the commands that a span of code is checked as.
var programs = []string{
	"explorer", "/explorer", "./explorer", "go", "make", "curl", "docker", "kubectl", "systemctl", "git",
}

// span checks code in a text.
func (c *docsCheck) span(s string) {
	c.spans++
	first, _, _ := strings.Cut(s, " ")
	switch {
	case slices.Contains(programs, first) && first != s:
		for i, alternative := range strings.Split(s, " / ") {
			if words := strings.Fields(s); i > 0 { // `explorer schedules list / start X`
				alternative = strings.Join(words[:2], " ") + " " + alternative
			}
			c.script(alternative, true)
		}
	case request.MatchString(s):
		m := request.FindStringSubmatch(s)
		c.request(m[1], m[2])
	case barePath.MatchString(s) && !onMachine.MatchString(s) && !beside.MatchString(s):
		path, _, _ := strings.Cut(s, "?")
		if strings.HasPrefix(path, "/config/") || strings.HasPrefix(path, "/query/") { // pointers of problems
			return
		}
		if _, item := c.path(path); item == nil {
			c.fault("%s: the contract has no such path", s)
		}
	case oneFlag.MatchString(s):
		if flag := oneFlag.FindString(s); !c.flags[flag] && !c.flags["--"+strings.TrimPrefix(flag, "--no-")] {
			c.fault("%s: no command has this flag", s)
		}
	case ourFile.MatchString(s) && !written[s]:
		if found, _ := filepath.Glob(filepath.Join("..", s)); len(found) == 0 {
			c.fault("%s: there is no such file", s)
		}
	case metricName.FindString(s) == s:
		base := s
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			base = strings.TrimSuffix(base, suffix)
		}
		function := strings.HasPrefix(s, "explorer_plain") || strings.HasPrefix(s, "explorer_words") // of the database
		if !c.metrics[s] && !c.metrics[base] && !function {
			c.fault("%s: the program gives no such figure", s)
		}
	case strings.ContainsAny(first, "=_"):
		c.assignment(first, false)
	}
}

// assignment checks a variable, alone or with what it is set to. In a script anything may be set.
func (c *docsCheck) assignment(s string, script bool) {
	m := variable.FindStringSubmatch(s)
	if m == nil {
		return
	}
	name := m[1]
	if c.variables[name] || foreign[name] || strings.HasPrefix(name, "OTEL_") ||
		script && !strings.Contains(name, "_") {
		return
	}
	c.fault("%s: nothing reads this variable", name)
}

// link checks where a link within the project goes.
func (c *docsCheck) link(from, to string) {
	if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
		return
	}
	file, anchor, _ := strings.Cut(to, "#")
	path := filepath.Join("..", filepath.Dir(from), file)
	if file == "" {
		path = filepath.Join("..", from)
	}
	raw, err := os.ReadFile(path)
	if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		return
	}
	if err != nil {
		c.fault("a link to %s: there is no such file", to)
		return
	}
	if anchor == "" {
		return
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllSubmatch(raw, -1) {
		slug := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(string(m[1])), "")
		if strings.ReplaceAll(strings.TrimSpace(slug), " ", "-") == anchor {
			return
		}
	}
	c.fault("a link to %s: there is no such heading", to)
}

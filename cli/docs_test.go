package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	"mvdan.cc/sh/v3/syntax"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/simulate"
)

// TestDocsAreTrue takes every command, path, variable and link out of what people read and compares it with what there
// is: the commands and their flags, the contract, the configuration, the Makefile, the services, the files.
func TestDocsAreTrue(t *testing.T) {
	t.Parallel()
	dbtest.Measures(t)
	c := newDocsCheck(t)
	files := []string{
		"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docker-compose.yml", "Dockerfile", "railway.json",
	}
	for _, pattern := range []string{"docs/*.md", "deploy/*", "deploy/*/*"} {
		found, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if info, err := os.Stat(f); err == nil && !info.IsDir() && !slices.Contains([]string{".json", ".go", ".mod", ".sum"}, filepath.Ext(f)) {
				files = append(files, strings.TrimPrefix(filepath.ToSlash(f), "../"))
			}
		}
	}
	for _, file := range files {
		c.file(file, string(read(t, strings.Split(file, "/")...)))
	}
	for _, fault := range c.faults {
		t.Error(fault)
	}
	if c.commands < 100 || c.requests < 60 || c.spans < 500 {
		t.Errorf("found only %d commands, %d requests and %d spans", c.commands, c.requests, c.spans)
	}
}

// TestDocsAreIndexed looks for every document in docs/README.md, and for links of the clients' documents that lead nowhere.
func TestDocsAreIndexed(t *testing.T) {
	t.Parallel()
	index := string(read(t, "docs", "README.md"))
	found, err := filepath.Glob("../docs/*.md")
	if err != nil || len(found) < 10 {
		t.Fatalf("found %d documents, %v", len(found), err)
	}
	for _, f := range found {
		if name := filepath.Base(f); name != "README.md" && !strings.Contains(index, "]("+name) {
			t.Errorf("docs/README.md does not list docs/%s", name)
		}
	}
	c := &docsCheck{t: t}
	for _, pattern := range []string{"../*/README.md", "../*/*/README.md"} {
		clients, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range clients {
			c.where = strings.TrimPrefix(filepath.ToSlash(f), "../")
			for _, m := range link.FindAllStringSubmatch(string(read(t, c.where)), -1) {
				c.link(c.where, m[1])
			}
		}
	}
	for _, fault := range c.faults {
		t.Error(fault)
	}
}

// TestDocsCheck has the check find what is not true.
func TestDocsCheck(t *testing.T) {
	t.Parallel()
	dbtest.Measures(t)
	base, fence := newDocsCheck(t), "```sh\n%s\n```\n"
	for _, text := range []string{
		"`explorer backfill start bills_introduced_by_day --all`", "`explorer backfil start`", "`explorer runs frobnicate`", "`explorer keys list --frobnicate`", "`go run . serve --addres :80`", "`/explorer wrk`",
		"`GET /audit`", "`POST /bills`", "`GET /bills?colour=red`", "`GET /runs/{id}/frobnicate`", "`/frobnicate`", "`/runs/1/steps`",
		"`make frobnicate`", "`EXPLORER_FROBNICATE`", "`FROBNICATE_URL=http://example.org`", "`docker compose exec frobnicate ls`", "`deploy/frobnicate/config.yaml`", "`--frobnicate`", "`explorer_frobnicate_total`",
		"[a link](docs/frobnicate.md)", "[a link](README.md#frobnicate)",
		fmt.Sprintf(fence, "explorer materialize fetch_latest_bills --limit 3"), fmt.Sprintf(fence, "X=1 FROBNICATE_URL=x explorer worker"), fmt.Sprintf(fence, "echo '{}' | explorer backfill start x --frobnicate -"),
		fmt.Sprintf(fence, "curl localhost:8080/frobnicate"), fmt.Sprintf(fence, "curl -X PUT localhost:8080/runs"), fmt.Sprintf(fence, "curl 'localhost:8080/bills?colour=red'"),
		fmt.Sprintf(fence, `curl -X POST localhost:8080/runs -H 'Content-Type: application/json' -d '{"asset": ["a"]}'`), fmt.Sprintf(fence, `curl localhost:8080/runs -d '{"assets": "a"}'`),
		fmt.Sprintf(fence, `curl localhost:8080/runs -d '{"assets": }'`), fmt.Sprintf(fence, "curl -X POST localhost:8080/schedules/x/start -d '{'"), fmt.Sprintf(fence, "docker compose run --rm migrate keys make me"),
		fmt.Sprintf(fence, "systemctl enable explorer-frobnicate"), fmt.Sprintf(fence, "sudo deploy/install.sh --frobnicate x"), fmt.Sprintf(fence, "echo 'not closed"),
		fmt.Sprintf("```powershell\n%s\n```\n", "$env:FROBNICATE_URL = \"x\"\n.\\explorer.exe serve"), fmt.Sprintf("```powershell\n%s\n```\n", ".\\explorer.exe serv"),
	} {
		c := *base
		c.file("README.md", text)
		if len(c.faults) == 0 {
			t.Errorf("nothing is found wrong with %s", text)
		}
	}
	for _, text := range []string{
		"`explorer backfill start bills_introduced_by_day --from 2026-06-01`", "`explorer schedules list / start X / stop X`", "`GET /runs/{id}`", "`GET /runs/$RUN`", "`DATABASE_URL=postgres://u@h/d explorer dev`", "`make bench`",
		fmt.Sprintf(fence, "curl localhost:8080/runs/$RUN/retry -d '{\"from_failure\": true}'"), fmt.Sprintf(fence, "cat <<X | explorer jobs run j --config -\n{}\nX"), "[a link](docs/deploy.md#read-replica)",
		fmt.Sprintf("```powershell\n%s\n```\n", "$env:DATABASE_URL = \"x\"\n.\\explorer.exe serve\ncurl.exe -X POST localhost:8080/runs `\n  -d '{\\\"assets\\\": [\\\"a\\\"]}'"),
	} {
		c := *base
		c.file("README.md", text)
		if len(c.faults) > 0 {
			t.Errorf("%s: %s", text, c.faults)
		}
	}
}

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
	inlineCode  = regexp.MustCompile("`([^`\n]+)`")
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	request     = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) (/\S*)$`)
	barePath    = regexp.MustCompile(`^/[a-z][^\s]*$`)
	ourFile     = regexp.MustCompile(`^(?:deploy|docs|sdk|server|db|jobs|cli|web|orchestrator|parliament|\.ci)/[\w./*@-]+$`)
	oneFlag     = regexp.MustCompile(`^(--[a-z][a-z-]*)`)
	metricName  = regexp.MustCompile(`explorer_[a-z_]+[a-z]`)
	variable    = regexp.MustCompile(`^\$?\{?([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]|[A-Z][A-Z0-9_]+)(?:\}|=.*)?$`)
	environment = regexp.MustCompile(`(?:os\.(?:Getenv|LookupEnv)\(|Setenv\(|environ\[|getenv\(|process\.env\.)"?([A-Z][A-Z0-9_]+)`)
	composeName = regexp.MustCompile(`\$\{([A-Z_]+)`)
	makeName    = regexp.MustCompile(`\b([A-Z][A-Z_]+)\b`)
	psVariable  = regexp.MustCompile(`(?m)^\s*\$env:(\w+)\s*=.*$`)
)

// onMachine are where paths are those of a machine rather than the API's.
var onMachine = regexp.MustCompile(`^/(?:etc|var|usr|srv|tmp|opt|dev|proc|run/user|explorer|sys|lib|mnt|bin)(?:/|$| )`)

// written are the files, and a parameter, that CONTRIBUTING.md has the reader write.
var written = map[string]bool{
	"statute_year":        true,
	"jobs/count_bills.go": true, "jobs/count_bills_test.go": true, "db/migrations/00023_statute_year.sql": true, "web/src/pages/laws.tsx": true,
}

// beside are paths that the server has beside the contract's.
var beside = regexp.MustCompile(`^/(?:ui|docs|riverui|debug/pprof)(?:/.*)?$|^/$`)

// foreign are variables that other programs read.
var foreign = map[string]bool{
	"PGPASSWORD": true, "PGHOST": true, "PGUSER": true, "GOMEMLIMIT": true, "GOFLAGS": true, "VERSION": true, "POSTGRES_PASSWORD": true, "POSTGRES_USER": true, "POSTGRES_DB": true,
	"CGO_ENABLED": true, "GOOS": true, "GOARCH": true, "DESTDIR": true, "PATH": true, "SOURCE_DATE_EPOCH": true, "HTTPS_PROXY": true,
	"NAME": true, // as an example of any
}

func newDocsCheck(t *testing.T) *docsCheck {
	t.Helper()
	c := &docsCheck{t: t, targets: map[string]bool{}, variables: known(), metrics: map[string]bool{}, flags: map[string]bool{}}
	var err error
	world, err := simulate.NewWorld(simulate.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.simulation = world.Handler(simulate.Faults{})
	if c.contract, err = openapi3.NewLoader().LoadFromFile("../openapi.yaml"); err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{WorkingDir: "..", ConfigFiles: []types.ConfigFile{{Filename: "../docker-compose.yml"}}, Environment: types.Mapping{"POSTGRES_PASSWORD": "x"}})
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
		case slices.Contains([]string{".go", ".ts", ".py", ".sh"}, filepath.Ext(path)) || d.Name() == "run" || d.Name() == "contract":
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
	parser, err := kong.New(&cmds, kong.Name("explorer"), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		c.t.Fatal(err)
	}
	return parser
}

func (c *docsCheck) fault(format string, args ...any) {
	c.faults = append(c.faults, c.where+": "+fmt.Sprintf(format, args...))
}

// file checks a text: in Markdown its code and links, elsewhere what is in its comments.
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

// span checks code in a text.
func (c *docsCheck) span(s string) {
	c.spans++
	first, _, _ := strings.Cut(s, " ")
	switch {
	case slices.Contains([]string{"explorer", "/explorer", "./explorer", "go", "make", "curl", "docker", "kubectl", "systemctl", "git"}, first) && first != s:
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
		if !c.metrics[s] && !c.metrics[base] && !strings.HasPrefix(s, "explorer_plain") && !strings.HasPrefix(s, "explorer_words") { // two functions of the database
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
	if c.variables[name] || foreign[name] || strings.HasPrefix(name, "OTEL_") || script && !strings.Contains(name, "_") {
		return
	}
	c.fault("%s: nothing reads this variable", name)
}

func (c *docsCheck) powershell(code string) {
	for _, m := range psVariable.FindAllStringSubmatch(code, -1) {
		c.assignment(m[1], true)
	}
	code = psVariable.ReplaceAllString(code, "")
	code = strings.NewReplacer("`\n", "\\\n", `.\explorer.exe`, "explorer", `.\explorer`, "explorer", "explorer.exe", "explorer", "curl.exe", "curl", `\"`, `"`).Replace(code)
	c.script(code, false)
}

// script checks the commands of a shell script. In a text a command may lack its arguments.
func (c *docsCheck) script(code string, inText bool) {
	file, err := syntax.NewParser().Parse(strings.NewReader(code), "")
	if err != nil {
		c.fault("%s: %v", strings.TrimSpace(code), err)
		return
	}
	syntax.Walk(file, func(node syntax.Node) bool {
		call, ok := node.(*syntax.CallExpr)
		if !ok {
			return true
		}
		for _, a := range call.Assigns {
			c.assignment(a.Name.Value+"=", true)
		}
		var words []string
		for _, w := range call.Args {
			var b strings.Builder
			for _, part := range w.Parts {
				switch p := part.(type) {
				case *syntax.Lit:
					b.WriteString(strings.ReplaceAll(p.Value, "\\", ""))
				case *syntax.SglQuoted:
					b.WriteString(p.Value)
				case *syntax.DblQuoted:
					for _, inner := range p.Parts {
						if lit, ok := inner.(*syntax.Lit); ok {
							b.WriteString(strings.NewReplacer(`\"`, `"`, `\$`, `$`).Replace(lit.Value))
						} else {
							b.WriteString("00000000-0000-7000-8000-000000000000")
						}
					}
				default: // what stands for an id
					b.WriteString("00000000-0000-7000-8000-000000000000")
				}
			}
			words = append(words, b.String())
		}
		if len(words) > 0 {
			c.command(words, inText)
		}
		return true
	})
}

func (c *docsCheck) command(words []string, inText bool) {
	line := strings.Join(words, " ")
	switch filepath.Base(words[0]) {
	case "explorer":
		c.explorer(words[1:], inText)
	case "go":
		if len(words) > 2 && words[1] == "run" && words[2] == "." && (len(words) == 3 || !strings.HasPrefix(words[3], "-") || strings.HasPrefix(words[3], "--")) { // -flag is another program's
			c.explorer(words[3:], inText)
		}
	case "install.sh", "sudo":
		script := string(read(c.t, "deploy", "install.sh"))
		for _, w := range words[1:] {
			if strings.HasPrefix(w, "--") && !strings.Contains(script, "    "+w+") ") {
				c.fault("%s: install.sh has no %s", line, w)
			}
		}
	case "make":
		for _, w := range words[1:] {
			if !strings.Contains(w, "=") && !c.targets[w] {
				c.fault("%s: the Makefile has no target %s", line, w)
			}
		}
	case "curl":
		c.curl(words[1:])
	case "docker":
		c.docker(words)
	case "systemctl":
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "explorer-") {
				continue
			}
			name, instance, _ := strings.Cut(w, "@")
			if instance != "" {
				name += "@"
			}
			if filepath.Ext(name) == "" {
				name += ".service"
			}
			if _, err := os.Stat(filepath.Join("..", "deploy", "systemd", name)); err != nil {
				c.fault("%s: there is no unit %s", line, name)
			}
		}
	case "export":
		for _, w := range words[1:] {
			c.assignment(w, true)
		}
	}
	for _, w := range words[1:] {
		w = strings.TrimPrefix(w, "./")
		if ourFile.MatchString(w) && strings.HasPrefix(w, "deploy/") && w != "deploy/server" { // which is Kubernetes'
			if found, _ := filepath.Glob(filepath.Join("..", w)); len(found) == 0 {
				c.fault("%s: there is no such file: %s", line, w)
			}
		}
	}
}

// explorer checks a command by the program's own parser.
func (c *docsCheck) explorer(args []string, inText bool) {
	c.commands++
	if len(args) == 0 {
		return
	}
	parser := c.parser()
	_, err := parser.Parse(args)
	if err == nil {
		return
	}
	if inText { // a name, perhaps of a group of commands: its arguments may be missing, what is there must be true
		node, rest := parser.Model.Node, args
		for len(rest) > 0 {
			i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == rest[0] || slices.Contains(n.Aliases, rest[0]) })
			if i < 0 {
				break
			}
			node, rest = node.Children[i], rest[1:]
		}
		if len(rest) == 0 || len(node.Children) == 0 && strings.Contains(err.Error(), "expected \"<") {
			return
		}
	}
	c.fault("explorer %s: %v", strings.Join(args, " "), err)
}

func (c *docsCheck) docker(words []string) {
	if len(words) < 3 || words[1] != "compose" || words[2] != "run" && words[2] != "exec" {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(words[3:]), func(w string) bool { return strings.HasPrefix(w, "-") && w != "-" })
	if len(rest) == 0 {
		return
	}
	service, ok := c.services[rest[0]]
	if !ok {
		c.fault("%s: docker-compose.yml has no service %s", strings.Join(words, " "), rest[0])
		return
	}
	if words[2] == "run" && strings.HasPrefix(service.Image, "parliament-explorer") {
		at := slices.Index(words, rest[0])
		c.explorer(words[at+1:], false)
	}
}

// curl checks a request that a command sends to a server.
func (c *docsCheck) curl(args []string) {
	method, body, target := "", "", ""
	contentType := ""
	for i := 0; i < len(args); i++ {
		arg := args[i]
		value := func() string {
			if i++; i < len(args) {
				return args[i]
			}
			return ""
		}
		switch arg {
		case "-X", "--request":
			method = value()
		case "-d", "--data", "--data-binary", "--data-raw", "--json":
			body = value()
		case "-H", "--header":
			if name, text, _ := strings.Cut(value(), ":"); strings.EqualFold(name, "Content-Type") {
				contentType = strings.TrimSpace(text)
			}
		case "-o", "--output", "-u", "--user", "-m", "--max-time":
			value()
		default:
			if !strings.HasPrefix(arg, "-") {
				target = arg
			}
		}
	}
	if method == "" {
		if method = "GET"; body != "" {
			method = "POST"
		}
	}
	host := regexp.MustCompile(`^(?:https?://)?(?:localhost|127\.0\.0\.1|\[::1\]|bills\.example\.(?:org|com)|[\w.]*example\.(?:org|com))(?::\d+)?(/.*)?$`).FindStringSubmatch(target)
	if host == nil {
		return
	}
	item := c.request(method, host[1])
	if item == nil || body == "" || strings.HasPrefix(body, "@") {
		return
	}
	operation := item.GetOperation(method)
	if operation == nil {
		return
	}
	if operation.RequestBody == nil {
		c.fault("%s %s: takes no body", method, host[1])
		return
	}
	if strings.Contains(contentType, "yaml") {
		return
	}
	var given any
	if err := json.Unmarshal([]byte(body), &given); err != nil {
		c.fault("%s %s: the body is no JSON: %v: %s", method, host[1], err, body)
		return
	}
	media := operation.RequestBody.Value.Content.Get("application/json")
	if media == nil {
		return
	}
	if err := media.Schema.Value.VisitJSON(given, openapi3.VisitAsRequest()); err != nil {
		c.fault("%s %s: the body is not as the contract has it: %v", method, host[1], err)
	}
	if fields, ok := given.(map[string]any); ok && len(media.Schema.Value.Properties) > 0 {
		for name := range fields {
			if media.Schema.Value.Properties[name] == nil {
				c.fault("%s %s: the body has no field %s in the contract", method, host[1], name)
			}
		}
	}
}

// request checks a method and a path with its query; nil if there is no such path.
func (c *docsCheck) request(method, target string) *openapi3.PathItem {
	c.requests++
	path, query, _ := strings.Cut(target, "?")
	path = strings.TrimRight(path, ".,;:")
	if path == "" {
		path = "/"
	}
	if beside.MatchString(path) {
		return nil
	}
	if strings.HasPrefix(path, "/control/") { // of the simulated sources
		r := httptest.NewRecorder()
		c.simulation.ServeHTTP(r, httptest.NewRequestWithContext(c.t.Context(), method, target, nil))
		if r.Code >= 400 {
			c.fault("%s %s: the simulation answers %d", method, target, r.Code)
		}
		return nil
	}
	name, item := c.path(path)
	if item == nil {
		c.fault("%s %s: the contract has no such path", method, target)
		return nil
	}
	operation := item.GetOperation(method)
	if operation == nil {
		c.fault("%s %s: %s has no %s", method, target, name, method)
		return item
	}
	known := map[string]bool{}
	for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
		if p.Value.In == "query" {
			known[p.Value.Name] = true
		}
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		c.fault("%s %s: %v", method, target, err)
	}
	for name := range values {
		if !known[name] && !written[name] {
			c.fault("%s %s: has no parameter %s", method, target, name)
		}
	}
	return item
}

// path finds the path of the contract that a path is one of; a parameter may stand for itself.
func (c *docsCheck) path(given string) (string, *openapi3.PathItem) {
	want := strings.Split(strings.TrimSuffix(given, "/"), "/")
	best, literal := "", -1
	for _, name := range c.contract.Paths.InMatchingOrder() {
		have, same := strings.Split(name, "/"), 0
		if len(have) != len(want) {
			continue
		}
		matches := true
		for i, part := range have {
			switch {
			case part == want[i]:
				same++
			case !strings.HasPrefix(part, "{"):
				matches = false
			}
		}
		if matches && same > literal {
			best, literal = name, same
		}
	}
	if best == "" {
		return "", nil
	}
	return best, c.contract.Paths.Value(best)
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

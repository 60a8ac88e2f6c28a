package cli

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/getkin/kin-openapi/openapi3"
	"mvdan.cc/sh/v3/syntax"
)

func (c *docsCheck) powershell(code string) {
	for _, m := range psVariable.FindAllStringSubmatch(code, -1) {
		c.assignment(m[1], true)
	}
	code = psVariable.ReplaceAllString(code, "")
	code = strings.NewReplacer(
		"`\n", "\\\n", `.\explorer.exe`, "explorer", `.\explorer`, "explorer", "explorer.exe", "explorer",
		"curl.exe", "curl", `\"`, `"`,
	).Replace(code)
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

// anotherProgram matches what follows `go run .` if it is not this program: its flags begin with one hyphen.
var anotherProgram = regexp.MustCompile(`^[^ ]|^ -[^-]`)

func (c *docsCheck) command(words []string, inText bool) {
	line := strings.Join(words, " ")
	switch filepath.Base(words[0]) {
	case "explorer":
		c.explorer(words[1:], inText)
	case "go":
		if args, ok := strings.CutPrefix(line, "go run ."); ok && !anotherProgram.MatchString(args) {
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
			i := slices.IndexFunc(node.Children, func(n *kong.Node) bool {
				return n.Name == rest[0] || slices.Contains(n.Aliases, rest[0])
			})
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
	rest := slices.DeleteFunc(slices.Clone(words[3:]), func(w string) bool {
		return strings.HasPrefix(w, "-") && w != "-"
	})
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

// exampleAddress is the address of a server in an example.
var exampleAddress = regexp.MustCompile(
	`^(?:https?://)?(?:localhost|127\.0\.0\.1|\[::1\]|[\w.]*example\.(?:org|com))(?::\d+)?(/.*)?$`)

// curl checks a request that a command sends to a server. It is long, because it reads curl's arguments first.
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
	host := exampleAddress.FindStringSubmatch(target)
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

package e2e_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const module = "github.com/parliament-explorer/parliament-explorer"

// importRule is a rule of depguard in .golangci.yml.
type importRule struct {
	Mode  string   `yaml:"list-mode"`
	Files []string `yaml:"files"`
	Allow []string `yaml:"allow"`
	Deny  []struct {
		Pkg string `yaml:"pkg"`
	} `yaml:"deny"`
}

// applies reports whether depguard checks a file by the rule.
func (r importRule) applies(file string) bool {
	listed := false
	for _, pattern := range r.Files {
		pattern, not := strings.CutPrefix(pattern, "!")
		switch is := fileMatches(pattern, file); {
		case is && not:
			return false
		case is:
			listed = true
		}
	}
	return listed
}

func fileMatches(pattern, file string) bool {
	switch pattern {
	case "$all":
		return true
	case "$test":
		return strings.HasSuffix(file, "_test.go")
	}
	expression := strings.NewReplacer(`\*\*`, ".*", `\*`, "[^/]*").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^" + expression + "$").MatchString(file)
}

// denies reports whether the rule forbids an import: the longest prefix counts.
func (r importRule) denies(pkg string) bool {
	allowed, denied := longest(r.Allow, pkg), -1
	for _, d := range r.Deny {
		denied = max(denied, longest([]string{d.Pkg}, pkg))
	}
	return denied >= 0 && denied > allowed
}

func longest(prefixes []string, pkg string) int {
	n := -1
	for _, p := range prefixes {
		exact := strings.TrimSuffix(p, "$")
		if strings.HasPrefix(pkg, p) || exact != p && pkg == exact {
			n = max(n, len(exact))
		}
	}
	return n
}

func importRules(t *testing.T) map[string]importRule {
	t.Helper()
	raw, err := os.ReadFile("../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]importRule `yaml:"rules"`
				} `yaml:"depguard"`
			} `yaml:"settings"`
		} `yaml:"linters"`
	}
	if err := yaml.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	return config.Linters.Settings.Depguard.Rules
}

// forbidden has, for each folder with Go files, imports that the linter has to refuse there.
var forbidden = map[string][]string{
	".": {"server", "cli/node"}, "api": {"db", "server"}, "api/example": {"cli", "sdk/go"},
	"sdk": {"server"}, "sdk/go": {"server", "db"}, "web": {"api"}, "deploy/image": {"cli"},
	"simulate": {"db", "parliament/legisinfo"},
	"db":       {"parliament", "orchestrator/internal/sql"}, "db/embedded": {"cli"}, "db/internal/tail": {"jobs"},
	"db/dbtest": {"orchestrator"}, "db/outage": {"parliament"},
	"orchestrator": {"parliament", "server/access", "api", "cli"}, "orchestrator/eventlog": {"parliament", "orchestrator"},
	"orchestrator/alerts": {"orchestrator", "api"}, "orchestrator/retention": {"orchestrator"},
	"orchestrator/cron": {"jobs"}, "orchestrator/runconfig": {"server"}, "orchestrator/selection": {"cli/node"},
	"orchestrator/notify": {"web"}, "orchestrator/internal/sql": {"parliament/internal/sql"},
	"orchestrator/message": {"orchestrator", "parliament", "api"},
	"parliament":           {"orchestrator", "api", "server"}, "parliament/legisinfo": {"parliament", "jobs"},
	"parliament/openparliament": {"parliament"}, "parliament/upstream": {"parliament", "orchestrator/eventlog"},
	"parliament/embed": {"parliament"}, "parliament/pgvector": {"parliament"}, "parliament/internal/sql": {"orchestrator"},
	"jobs": {"db", "server", "api", "cli"}, "server": {"jobs", "cli", "simulate"},
	"server/access":              {"api", "orchestrator", "parliament", "server", "jobs"},
	"server/access/internal/sql": {"jobs"},
	"cli":                        {"e2e", "db/dbtest", "cli/clitest"}, "cli/node": {"e2e", "db/dbtest"},
	"cli/clitest": {"sdk/go", "e2e"},
	"e2e":         {"web"},
}

// fileIn returns a file of a folder, for applies.
func fileIn(folder string) string {
	if folder == "." || folder == "api/example" || folder == "deploy/image" {
		return filepath.ToSlash(filepath.Join("/src", folder, "main.go"))
	}
	return "/src/" + folder + "/x.go"
}

// TestForbiddenImports tries imports that the linter has to refuse, in each folder with Go files.
func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	rules := importRules(t)
	folders := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || len(d.Name()) > 2 && d.Name()[0] == '.') {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, ".go") {
			folder, err := filepath.Rel("..", filepath.Dir(path))
			folders[filepath.ToSlash(folder)] = true
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder := range folders {
		if len(forbidden[folder]) == 0 {
			t.Errorf("no import is tried in %s", folder)
		}
	}
	for folder, imports := range forbidden {
		if !folders[folder] {
			t.Errorf("%s has no Go files", folder)
		}
		for _, name := range imports {
			denied := false
			for _, r := range rules {
				denied = denied || r.applies(fileIn(folder)) && r.denies(module+"/"+name)
			}
			if !denied {
				t.Errorf("%s may import %s", folder, name)
			}
		}
	}
}

// TestImportsAreAllowed checks every import between the packages, and that a rule covers each folder.
func TestImportsAreAllowed(t *testing.T) {
	t.Parallel()
	rules := importRules(t)
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if folder == "" {
			folder = "."
		}
		var covering []string
		for name, r := range rules {
			if !r.applies(fileIn(folder)) {
				continue
			}
			covering = append(covering, name)
			for _, imported := range p.Imports {
				if imported != p.ImportPath && r.denies(imported) {
					t.Errorf("%s imports %s, which the rule %s forbids", folder, imported, name)
				}
			}
		}
		if !slices.ContainsFunc(covering, func(name string) bool { return name != "tests" }) {
			t.Errorf("no rule of depguard is for %s", folder)
		}
	}
}

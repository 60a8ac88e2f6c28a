package cli

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// variables are the environment variables that the program reads.
func variables(t reflect.Type, into map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if env := f.Tag.Get("env"); env != "" {
			into[env] = true
		}
		if f.Type.Kind() == reflect.Struct {
			variables(f.Type, into)
		}
	}
}

func known() map[string]bool {
	// PGPASSWORD is read by the database library, OTEL_* by OpenTelemetry's.
	k := map[string]bool{"PGPASSWORD": true, "OTEL_EXPORTER_OTLP_ENDPOINT": true}
	variables(reflect.TypeFor[commands](), k)
	return k
}

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{".."}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestCompose loads docker-compose.yml with the library that `docker compose config` uses.
func TestCompose(t *testing.T) {
	t.Parallel()
	load := func(env types.Mapping) (*types.Project, error) {
		return loader.LoadWithContext(t.Context(), types.ConfigDetails{WorkingDir: "..",
			ConfigFiles: []types.ConfigFile{{Filename: "../docker-compose.yml"}}, Environment: env})
	}
	if _, err := load(nil); err == nil || !strings.Contains(err.Error(), "POSTGRES_PASSWORD") {
		t.Errorf("without a password: %v", err)
	}
	p, err := load(types.Mapping{"POSTGRES_PASSWORD": "secret", "VERSION": "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	names := known()
	for name, want := range map[string]int{"postgres": 1, "migrate": 1, "server": 2, "worker": 2} {
		s, err := p.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.GetScale(); got != want {
			t.Errorf("%s: %d replicas, want %d", name, got, want)
		}
		if name != "migrate" && (s.HealthCheck == nil || len(s.HealthCheck.Test) == 0) {
			t.Errorf("%s has no health check", name)
		}
		if name == "postgres" {
			if len(s.Volumes) != 1 || s.Volumes[0].Type != types.VolumeTypeVolume {
				t.Errorf("postgres keeps its data in %+v, want a named volume", s.Volumes)
			}
			continue
		}
		if on, ok := s.DependsOn["postgres"]; !ok || on.Condition != types.ServiceConditionHealthy {
			t.Errorf("%s does not wait for Postgres: %+v", name, s.DependsOn)
		}
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || s.Image != "parliament-explorer:1.2.3" {
			t.Errorf("%s: image %s, read only %t, drops %v", name, s.Image, s.ReadOnly, s.CapDrop)
		}
		for variable := range s.Environment {
			if !names[variable] {
				t.Errorf("%s sets %s, which nothing reads", name, variable)
			}
		}
	}
}

// TestDeployVariables finds variables in the deployment files that the program does not read.
func TestDeployVariables(t *testing.T) {
	t.Parallel()
	names := known()
	var found []string
	for _, line := range strings.Split(string(read(t, "deploy", "systemd", "explorer.env.example")), "\n") {
		if name, _, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			found = append(found, name)
		}
	}
	_, data, _ := strings.Cut(string(read(t, "deploy", "kubernetes", "config.yaml")), "\ndata:\n")
	for line := range strings.Lines(data) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# "), ":")
		found = append(found, name)
	}
	if len(found) < 8 {
		t.Errorf("found only %q", found)
	}
	for _, name := range found {
		if !names[name] {
			t.Errorf("%s is set, and nothing reads it", name)
		}
	}
	// docs/configuration.md lists every variable.
	reference := string(read(t, "docs", "configuration.md"))
	for name := range names {
		if !strings.Contains(reference, "`"+name+"`") {
			t.Errorf("docs/configuration.md does not list %s", name)
		}
	}
}

// TestDashboards finds figures in the dashboard and the alert rules that the program does not give.
func TestDashboards(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for _, file := range []string{"orchestrator/observe.go", "server/metrics.go", "server/replica.go",
		"parliament/upstream/metrics.go"} {
		for _, m := range regexp.MustCompile(`"(explorer_[a-z_]+)"`).FindAllSubmatch(read(t, file), -1) {
			given[string(m[1])] = true
		}
	}
	asked := regexp.MustCompile(`explorer_[a-z_]+`)
	rules, dashboard := read(t, "deploy", "prometheus", "alerts.yml"), read(t, "deploy", "grafana", "dashboard.json")
	if !json.Valid(dashboard) {
		t.Error("the dashboard is not JSON")
	}
	used := map[string]bool{}
	for scanner := bufio.NewScanner(strings.NewReader(string(rules) + string(dashboard))); scanner.Scan(); {
		for _, name := range asked.FindAllString(scanner.Text(), -1) {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				if base := strings.TrimSuffix(name, suffix); given[base] {
					name = base
				}
			}
			if used[name] = true; !given[name] {
				t.Errorf("%s is asked for, and nothing gives it", name)
			}
		}
	}
	for name := range given {
		if !used[name] {
			t.Errorf("%s is given, and neither the dashboard nor a rule shows it", name)
		}
	}
}

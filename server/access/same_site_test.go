package access

import (
	_ "embed"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

//go:embed testdata/same_site.json
var sameSiteTable []byte

// TestSamePath reads the table that the web UI's tests read too.
func TestSamePath(t *testing.T) {
	t.Parallel()
	var rows []struct {
		Path, Why string
		Same      bool
	}
	if err := json.Unmarshal(sameSiteTable, &rows); err != nil || len(rows) < 80 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		want := HomePath
		if row.Same {
			want = row.Path
		}
		if got := SamePath(row.Path); got != want {
			t.Errorf("%.60q (%s): %.60q, want %.60q", row.Path, row.Why, got, want)
		}
	}
}

// FuzzSamePath holds what is taken to the rules by which browsers find a host.
func FuzzSamePath(f *testing.F) {
	var rows []struct{ Path string }
	if err := json.Unmarshal(sameSiteTable, &rows); err != nil {
		f.Fatal(err)
	}
	for _, row := range rows {
		f.Add(row.Path)
	}
	base, err := url.Parse("https://here.example/session/oidc/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		path, _, _ = strings.Cut(path, "#") // net/url wants more of it than browsers do
		to, err := base.Parse(SamePath(path))
		if err != nil || to.Scheme != "https" || to.Host != "here.example" || to.User != nil ||
			len(to.Path) > 1 && to.Path[1] == '/' {
			t.Errorf("%q leads to %v, %v", path, to, err)
		}
	})
}

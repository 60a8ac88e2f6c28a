package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestSessionsOfPeople lists and ends sessions on the database, while a server answers to their cookies.
func TestSessionsOfPeople(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + dbtest.URL(t), "OPENPARLIAMENT_RPS=0", "LEGISINFO_RPS=0"}
	if r := run(t, env, "migrate", "up"); r.code != 0 {
		t.Fatalf("migrate up: %+v", r)
	}
	url := background(t, append(env, "ADDR=127.0.0.1:0", "AUTH=on"), `msg=ready url=(http://\S+)`, "serve")
	made := run(t, env, "keys", "create", "front desk", "--scope", "read", "--json")
	var key api.NewKey
	if err := json.Unmarshal([]byte(made.out), &key); err != nil {
		t.Fatalf("%v: %+v", err, made)
	}
	send := func(method, path, body, cookie string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Cookie", cookie)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	enter := func() string {
		c := send("POST", "/session", fmt.Sprintf(`{"key": %q}`, key.Key), "").Cookies()[0]
		return c.Name + "=" + c.Value
	}
	one, two, three := enter(), enter(), enter()
	listed := run(t, env, "sessions", "list", "--json")
	var list api.UserSessionList
	if err := json.Unmarshal([]byte(listed.out), &list); err != nil || len(list.Items) != 3 {
		t.Fatalf("%v: %+v", err, listed)
	}
	if text := run(t, env, "sessions").out; !strings.Contains(text, list.Items[0].ID.String()) ||
		!strings.Contains(text, key.ID.String()) {
		t.Errorf("%q", text)
	}
	for _, args := range [][]string{
		{"end"}, {"end", "x"}, {"end", "0197841c-2a00-7ccc-8000-000000000001"}, {"end", list.Items[0].ID.String(), "--person", "ada"}, {"end", "--key", "x"}, {"end", "--key", key.ID.String(), "--issuer", "x"}, {"list", "--limit", "0"},
	} {
		if r := run(t, env, append([]string{"sessions"}, args...)...); r.code != 2 {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if r := run(t, env, "sessions", "end", list.Items[0].ID.String()); r.code != 0 ||
		!strings.Contains(r.out, "has ended") {
		t.Errorf("%+v", r)
	}
	if a, b := send("GET", "/jobs", "", three).StatusCode, send("GET", "/jobs", "", two).StatusCode; a != 401 || b != 200 {
		t.Errorf("the last sign-in: %d, the one before: %d", a, b)
	}
	if r := run(t, env, "sessions", "end", "--person", "ada"); r.code != 0 || !strings.Contains(r.out, "0 sessions") {
		t.Errorf("%+v", r)
	}
	if r := run(t, env, "sessions", "end", "--key", key.ID.String()); r.code != 0 ||
		!strings.Contains(r.out, "2 sessions") {
		t.Errorf("%+v", r)
	}
	if a, b := send("GET", "/jobs", "", one).StatusCode, send("GET", "/jobs", "", two).StatusCode; a != 401 || b != 401 {
		t.Errorf("later: %d %d", a, b)
	}
}

package server_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/oauth2-proxy/mockoidc"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// entries gives the audit log, oldest first.
func (s *site) entries() []access.Audit { return s.entriesAfter(0) }

// entriesAfter returns what was added to the audit log after an entry.
func (s *site) entriesAfter(id int64) []access.Audit {
	s.t.Helper()
	rows, err := s.db.Pool.Query(s.t.Context(), "SELECT * FROM audit_log WHERE id > $1 ORDER BY id", id)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[access.Audit])
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// state is what a request could have changed, as text.
func (s *site) state() string {
	s.t.Helper()
	var state string
	err := s.db.Pool.QueryRow(s.t.Context(), `SELECT concat_ws(' ', (SELECT count(*) FROM runs),
		(SELECT count(*) FROM runs WHERE status = 'canceling' OR canceled_by IS NOT NULL),
		(SELECT count(*) FROM backfills), (SELECT string_agg(b.status, ',' ORDER BY b.id) FROM backfills b),
		(SELECT count(*) FROM api_keys), (SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL),
		(SELECT count(*) FROM sessions), (SELECT string_agg(s.name || s.running || s.changed_at, ',' ORDER BY s.name)
		FROM schedules s), (SELECT count(*) FROM ticks),
		(SELECT string_agg(s.name || s.running || coalesce(s.cursor, ''), ',' ORDER BY s.name) FROM sensors s),
		(SELECT count(*) FROM sensor_ticks), (SELECT count(*) FROM run_keys),
		(SELECT count(*) FROM deliveries), (SELECT count(*) FROM webhook_events),
		(SELECT string_agg(q.name || coalesce(q.paused_at::text, ''), ',' ORDER BY q.name) FROM river_queue q))`).Scan(&state)
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

// raw sends a request whose lines are written as they are, and gives the status of the answer: 0 if there is none.
func (s *site) raw(method, target, body string, header ...string) int {
	s.t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", u.Host)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + u.Host, "Connection: close",
		fmt.Sprintf("Content-Length: %d", len(body))}, header...)
	if body != "" {
		lines = append(lines, "Content-Type: application/json")
	}
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body); err != nil {
		return 0 // it hung up: the head is too long
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// change is a request that changes something.
type change struct{ operation, method, path, body string }

// changes gives a request that is allowed for everything in the contract that changes something, and for River UI. An
// operation that is not known here fails the test.
func (s *site) changes() []change {
	s.t.Helper()
	known := map[string]string{ // bodies
		"materializeAsset": `{"partition": "a"}`, "startJobRun": `{}`, "startRun": `{"assets": ["echo"]}`, "cancelRun": "", "retryRun": `{}`, "startSchedule": "", "stopSchedule": "", "runSchedule": "",
		"startSensor": "", "stopSensor": "", "evaluateSensor": "", "setSensorCursor": `{"cursor": "x"}`, "forgetSensorRunKey": "", "startBackfill": `{"assets": ["parted"]}`, "pauseBackfill": "",
		"resumeBackfill": "", "cancelBackfill": "", "retryBackfill": "", "testAlertChannel": "", "signIn": `{"key": "pex_x"}`, "signOut": "", "createKey": `{"name": "x", "scope": "read"}`, "revokeKey": "",
		"endSession": "", "endSessions": "",
	}
	var out []change
	for _, op := range s.operations() {
		if op.method == "GET" || op.OperationID == "receiveWebhook" { // whose events are records themselves
			continue
		}
		body, ok := known[op.OperationID]
		if !ok {
			s.t.Errorf("%s changes something: say here how", op)
		}
		path := op.path
		switch op.OperationID {
		case "forgetSensorRunKey":
			path += "?key=x"
		case "endSessions":
			path += "?subject=x"
		}
		out = append(out, change{op.OperationID, op.method, path, body})
	}
	if len(out) != len(known) {
		s.t.Errorf("%d of %d operations were found", len(out), len(known))
	}
	return append(out,
		change{"riverui", "PUT", "/riverui/api/queues/materialize/pause", ""},
		change{"riverui", "PUT", "/riverui/api/queues/materialize/resume", ""},
		change{"riverui", "POST", "/riverui/api/jobs/cancel", `{"ids": ["1"]}`},
		change{"riverui", "POST", "/riverui/api/jobs/delete", `{"ids": ["1"]}`},
		change{"riverui", "PATCH", "/riverui/api/queues/materialize", `{"concurrency": null}`},
		change{"riverui", "OPTIONS", "/riverui/api/queues/materialize/pause", ""},
		change{"riverui", "DELETE", "/riverui/api/nothing", ""},
	)
}

// TestAuditComesFirst takes away the means to record, in several ways, and asks for everything that changes something:
// it is answered 503, and nothing is done.
func TestAuditComesFirst(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]struct{ away, back string }{
		"refused":   {"CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; CREATE TRIGGER no BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION no()", "DROP TRIGGER no ON audit_log"},
		"disk full": {"CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING ERRCODE = ''disk_full'', MESSAGE = ''full''; END'; CREATE TRIGGER disk_full BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION disk_full()", "DROP TRIGGER disk_full ON audit_log"},
		"swallowed": {"CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER swallow BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION swallow()", "DROP TRIGGER swallow ON audit_log"},
		"gone":      {"ALTER TABLE audit_log RENAME TO gone", "ALTER TABLE gone RENAME TO audit_log"},
		"read only": {"ALTER TABLE audit_log ADD CONSTRAINT never CHECK (false) NOT VALID", "ALTER TABLE audit_log DROP CONSTRAINT never"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			changes := s.changes()
			s.exec(take.away)
			before := s.state()
			for _, c := range changes {
				a := s.do(c.method, c.path, c.body)
				if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
					t.Errorf("%s %s (%s): %d %s", c.method, c.path, c.operation, a.StatusCode, a.body)
				}
				if after := s.state(); after != before {
					t.Fatalf(
						"%s %s (%s) was done without an entry: %s, was %s", c.method, c.path, c.operation, after,
						before,
					)
				}
			}
			s.exec(take.back)
			n := len(s.entries())
			for _, c := range changes {
				s.do(c.method, c.path, c.body)
				all := s.entries()
				if len(all) != n+1 || all[n].Operation != c.operation || all[n].Method != c.method ||
					all[n].Status == 0 {
					t.Errorf("%s %s (%s): entries %+v", c.method, c.path, c.operation, all[n:])
				}
				n = len(all)
			}
		})
	}
}

// TestAuditWithoutItsDatabase asks for everything that changes something while the audit log's database is away, and
// the engine's is not.
func TestAuditWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	var away *db.DB
	s := setup(t, func(cfg *server.Config) {
		var err error
		if away, err = db.Open(t.Context(), db.Config{URL: cfg.DB.URL, MaxConns: 2}); err != nil {
			t.Fatal(err)
		}
		if cfg.Access, err = access.New(access.Config{DB: away, Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
	})
	changes := s.changes()
	away.Close()
	before := s.state()
	for _, c := range changes {
		if a := s.do(c.method, c.path, c.body); a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s %s (%s): %d %s", c.method, c.path, c.operation, a.StatusCode, a.body)
		}
	}
	if after := s.state(); after != before {
		t.Errorf("something was done without an entry: %s, was %s", after, before)
	}
}

// TestAuditOfSignIns takes away the means to record from those who sign in, out, or fail to.
func TestAuditOfSignIns(t *testing.T) {
	t.Parallel()
	provider, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Shutdown() })
	s := guarded(t, func(c *access.Config) {
		c.OIDC = &access.OIDCConfig{
			Issuer: provider.Issuer(), ClientID: provider.ClientID, ClientSecret: provider.ClientSecret,
			RedirectURL: "http://explorer.example/session/oidc/callback",
			Scopes:      []string{"groups"}, RolesClaim: "groups", Roles: map[string]access.Scope{"ops": access.ScopeOperate},
		}
	})
	_, key := s.key("ops", access.ScopeOperate, nil)
	_, read := s.key("reader", access.ScopeRead, nil)
	signedIn := s.browser()
	decode[api.SessionState](t, signedIn.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
	back := s.browser()
	provider.QueueUser(&mockoidc.MockUser{Subject: "7", Groups: []string{"ops"}})
	at := back.do("GET", back.do("GET", "/session/oidc", "").Header.Get("Location"), "").Header.Get("Location")
	callback, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	s.exec("ALTER TABLE audit_log ADD CONSTRAINT never CHECK (false) NOT VALID")
	before := s.state()
	for name, a := range map[string]answer{
		"sign in":              s.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)),
		"sign in, wrong key":   s.do("POST", "/session", `{"key": "pex_wrong"}`),
		"sign out":             signedIn.do("DELETE", "/session", ""),
		"begin at provider":    s.do("GET", "/session/oidc", ""),
		"complete at provider": back.do("GET", callback.RequestURI(), ""),
		"forbidden":            s.do("POST", "/jobs/echo_job/runs", `{}`, bearer(read)...),
		"unauthorized":         s.do("POST", "/jobs/echo_job/runs", `{}`),
		"wrong key":            s.do("POST", "/jobs/echo_job/runs", `{}`, bearer("pex_wrong")...),
		"River UI":             s.do("POST", "/riverui/api/jobs/cancel", `{}`, bearer(read)...),
	} {
		if a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
		for _, c := range a.Cookies() {
			if got := s.do("GET", "/runs", "", "Cookie", c.Name+"="+c.Value); got.StatusCode == 200 {
				t.Errorf("%s: there is a session without an entry", name)
			}
		}
	}
	if after := s.state(); after != before {
		t.Errorf("something was done without an entry: %s, was %s", after, before)
	}
	if got := signedIn.do("GET", "/runs", ""); got.StatusCode != 200 {
		t.Errorf("the session of the refused sign-out: %d", got.StatusCode)
	}
	s.exec("ALTER TABLE audit_log DROP CONSTRAINT never")
	n := len(s.entries())
	s.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key))
	s.do("POST", "/session", `{"key": "pex_wrong"}`)
	signedIn.do("DELETE", "/session", "")
	s.do("GET", "/session/oidc", "")
	var told []string
	for _, e := range s.entries()[n:] {
		told = append(told, fmt.Sprintf("%s %s %d", e.Operation, e.Actor, e.Status))
	}
	want := []string{
		"signIn key ops 200", "signIn api client at 127.0.0.1 401", "signOut key ops 204",
		"beginSignIn api client at 127.0.0.1 302",
	}
	if !slices.Equal(told, want) {
		t.Errorf("audit log %q, want %q", told, want)
	}
}

// TestAuditCannotBeSpoilt sends everything that changes something with what could keep an entry from being written.
// Each that is answered has one entry, which is bounded, clean, and names nobody that is not proven.
func TestAuditCannotBeSpoilt(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	long := strings.Repeat("x", 60<<10)
	noise := strings.Repeat("\U0001F600é\u202e", 4000)
	s := setup(t, func(c *server.Config) { c.TrustedProxies = loopbackNet(t) })
	changes := s.changes()
	var last int64
	for _, e := range s.entries() {
		last = e.ID
	}
	for _, header := range [][]string{
		{"X-Request-Id: \xff"}, {"X-Request-Id: a\xc3("}, {"X-Request-Id: " + long}, {"X-Request-Id: a b"}, {"X-Request-Id: \x9b31m"}, {"X-Request-Id: a\tb"}, {"X-Request-Id: a", "X-Request-Id: \xff"}, {"X-Request-Id:"},
		{"X-Request-Id: \x00"}, {"X-Request-Id: a\rb"}, {"X-Request-Id: a\r\n b"}, // which net/http refuses
		{"User-Agent: \xff\xfe"}, {"User-Agent: " + long}, {"User-Agent: " + noise}, {"User-Agent: explorer-cli/1 (root@prod)"}, {"User-Agent: explorer-cli/1 (\xff\xff"}, {"User-Agent: explorer-cli/1 (" + noise}, {"User-Agent: \x9b2J\tkey root"},
		{"X-Forwarded-For: \xff"}, {"X-Forwarded-For: " + long}, {"X-Forwarded-For: 203.0.113.9, \xff"}, {"X-Forwarded-For: key root"}, {"X-Forwarded-For: " + strings.Repeat("127.0.0.1,", 5000)}, {"X-Forwarded-For: ::1%" + long}, {"X-Forwarded-For: , ,"},
		{"Referer: \xff", "Origin: " + s.url}, {"Accept: \xff"}, {"Traceparent: \xff"}, {"Cookie: explorer_session=\xff"},
	} {
		for _, c := range changes {
			status := s.raw(c.method, c.path, c.body, header...)
			added := s.entriesAfter(last)
			switch {
			// net/http refused it
			case status == 0 || status == http.StatusBadRequest && len(added) == 0 ||
				status == http.StatusRequestHeaderFieldsTooLarge:
				if len(added) != 0 {
					t.Errorf("%s with %.40q: no answer, and entries %+v", c.operation, header, added)
				}
			case len(added) != 1 || added[0].Operation != c.operation || added[0].Status != status:
				t.Errorf("%s with %.40q: %d, entries %.300v", c.operation, header, status, added)
			default:
				s.clean(added[0])
				last = added[0].ID
			}
		}
	}
}

// clean checks that an entry says nothing that could not be proven, shown or stored.
func (s *site) clean(e access.Audit) {
	s.t.Helper()
	for field, at := range map[string]struct {
		text string
		most int
	}{
		"actor": {e.Actor, 500}, "path": {e.Path, 500}, "client": {e.Client, 200}, "request_id": {e.RequestID, 64}, "remote_address": {e.RemoteAddress, 45}, "method": {e.Method, 20}, "claimed_name": {e.ClaimedName, 200},
	} {
		if n := utf8.RuneCountInString(at.text); n > at.most || !utf8.ValidString(at.text) ||
			at.text != db.Printable(at.text, 0) {
			s.t.Errorf("%s of %s: %d characters: %.100q", field, e.Operation, n, at.text)
		}
	}
	if want := "api client at " + e.RemoteAddress; e.Actor != want || e.KeyID != nil {
		s.t.Errorf("actor %q, want %q", e.Actor, want)
	}
	if net.ParseIP(e.RemoteAddress) == nil && e.RemoteAddress != access.Unknown {
		s.t.Errorf("address %q", e.RemoteAddress)
	}
	if e.RequestID == "" {
		s.t.Errorf("no request id: %+v", e)
	}
}

// TestAuditOfOddPaths asks for paths that lead somewhere and carry what could keep an entry from being written.
func TestAuditOfOddPaths(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, odd := range []string{
		"%ff", "%00", "%1b[2J", "a%0d%0akey%20root", "%c2%9b", "%e2%80%ae", strings.Repeat("x", 60<<10),
		strings.Repeat("%ff", 20<<10), strings.Repeat("%F0%9F%98%80", 5000),
	} {
		for _, c := range []change{
			{"startSchedule", "POST", "/schedules/" + odd + "/start", ""}, {"materializeAsset", "POST", "/assets/" + odd + "/materialize", "{}"}, {"revokeKey", "DELETE", "/keys/" + odd, ""},
			{"forgetSensorRunKey", "DELETE", "/sensors/hook/run-keys?key=" + odd, ""}, {"riverui", "PUT", "/riverui/api/queues/" + odd + "/pause", ""}, {"riverui", "POST", "/riverui/" + odd, ""},
			{"startSensor", "POST", "/sensors/" + odd + "/start", ""}, {"cancelRun", "POST", "/runs/" + odd + "/cancel", ""}, {"createKey", "POST", "/keys?" + odd + "=1", `{"name": "x", "scope": "read"}`},
		} {
			n := len(s.entries())
			status := s.raw(c.method, c.path, c.body)
			all := s.entries()
			// It was not read.
			if (status == http.StatusBadRequest || status == http.StatusRequestURITooLong) && len(all) == n {
				continue
			}
			if len(all) != n+1 || all[n].Operation != c.operation || all[n].Status != status {
				t.Errorf("%s %.50s: %d, entries %.300v", c.method, c.path, status, all[n:])
				continue
			}
			s.clean(all[n])
		}
	}
	// What a client may choose as the id of its request is kept; anything else gets a new one.
	for id, kept := range map[string]bool{
		"a": true, "A-1_b.c": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "a b": false, "a/b": false,
		"é": false,
	} {
		a := s.do("GET", "/healthz", "", "X-Request-Id", id)
		if got := a.Header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("request id %q became %q", id, got)
		}
	}
	// Methods that River UI is not asked by.
	n := len(s.entries())
	for _, method := range []string{"BREW", "\u00fftext", "LOCK", "POST\x00"} {
		if status := s.raw(method, "/riverui/api/queues/materialize/pause", ""); status < 400 {
			t.Errorf("%q: %d", method, status)
		}
	}
	if all := s.entries(); len(all) != n {
		t.Errorf("entries %+v", all[n:])
	}
}

// TestAuditOfNames uses keys and requests whose names look like those of somebody else.
func TestAuditOfNames(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	for _, name := range []string{"root", "\u202etoor", "a\u009b2Jb", strings.Repeat("\U0001F600", 100)} {
		id, key := s.key(name, access.ScopeOperate, nil)
		n := len(s.entries())
		run := decode[api.Run](t, s.do("POST", "/jobs/echo_job/runs", `{}`,
			append(bearer(key), "User-Agent", "explorer-cli/1 (root@prod)")...), http.StatusAccepted)
		all := s.entries()
		if len(all) != n+1 || all[n].KeyID == nil || *all[n].KeyID != id || all[n].Actor != "key "+db.Printable(name, 0) ||
			all[n].Client != "explorer-cli/1 (root@prod)" || all[n].Status != 202 {
			t.Errorf("%q: %+v", name, all[n:])
		}
		if *run.Trigger.Name != "key "+db.Printable(name, 0) {
			t.Errorf("%q: trigger %q", name, *run.Trigger.Name)
		}
	}
	// Two people whom their providers call the same, and one whose subject pretends to be at another.
	actors := map[string]bool{}
	for _, who := range []access.Identity{
		{Kind: access.KindOIDC, Issuer: "https://a.example", Subject: "1", Name: "root"},
		{Kind: access.KindOIDC, Issuer: "https://a.example", Subject: "2", Name: "root"},
		{Kind: access.KindOIDC, Issuer: "https://b.example", Subject: "1", Name: "root"},
		{Kind: access.KindOIDC, Issuer: "https://b.example", Subject: "1 at https://a.example", Name: "root"},
		{Kind: access.KindKey, Name: "root"},
	} {
		actors[who.Actor()] = true
		if strings.Contains(who.Actor(), "root") != (who.Kind == access.KindKey) {
			t.Errorf("actor %q has a claim in it", who.Actor())
		}
	}
	if len(actors) != 5 {
		t.Errorf("actors %v", actors)
	}
	if got := (&access.Identity{Kind: access.KindOIDC, Issuer: "https://a.example", Subject: "1",
		Name: "root"}).Label(); got != "oidc 1 at https://a.example (says it is root)" {
		t.Errorf("label %q", got)
	}
}

// TestAuditSaysWhatIsNotKnown looks at an entry that was begun and never completed.
func TestAuditSaysWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	// The entry cannot be completed: what was asked for is done all the same, and the entry is there.
	s.exec(`CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
		CREATE TRIGGER keep BEFORE UPDATE ON audit_log FOR EACH ROW EXECUTE FUNCTION keep()`)
	decode[api.Run](t, s.do("POST", "/jobs/echo_job/runs", `{}`), http.StatusAccepted)
	log := decode[api.AuditLog](t, s.do("GET", "/audit-log", ""), 200)
	if len(log.Items) != 1 || log.Items[0].Status != 0 || log.Items[0].Operation != "startJobRun" {
		t.Errorf("%+v", log.Items)
	}
}

// TestOldServersGoOnRecording writes entries as servers do that know nothing of this schema.
func TestOldServersGoOnRecording(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, text := range []string{"x", strings.Repeat("\U0001F600é", 30<<10)} {
		_, err := s.db.Pool.Exec(t.Context(),
			`INSERT INTO audit_log (at, actor, key_id, operation, method, path, status, remote_address, request_id)
			VALUES (now(), $1, NULL, 'startRun', 'POST', $1, 202, $1, $1)`, text)
		if err != nil {
			t.Error(err)
		}
	}
	for _, e := range s.entries() {
		if utf8.RuneCountInString(e.Actor) > 500 || utf8.RuneCountInString(e.Path) > 500 ||
			utf8.RuneCountInString(e.RequestID) > 64 || e.Status != 202 {
			t.Errorf("%.200v", e)
		}
	}
}

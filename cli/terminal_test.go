package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/cli"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// hostile is a text that clears a terminal, sets its title, and writes lines of its own.
const hostile = "a\x1b[2J\x1b]0;title\x07\r\nFORGED line\n\tFORGED\u009b31m\u202egnorw\u2066\u2028FORGED\x7f\x08"

// fill puts the hostile text into every text of a value.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case uuid.UUID:
		v.Set(reflect.ValueOf(uuid.MustParse("0197841c-2a00-7aaa-8000-000000000001")))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Now()))
		return
	case json.RawMessage:
		raw, _ := json.Marshal(map[string]string{hostile: hostile})
		v.Set(reflect.ValueOf(json.RawMessage(raw)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64, reflect.Float32:
		v.SetFloat(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(hostile))
	default:
	}
}

func filled[T any]() any {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return v
}

// plain checks that an output contains no control characters that a terminal obeys, and no line that the program did
// not print.
func plain(t *testing.T, what, out string) {
	t.Helper()
	for i, r := range out {
		if r != '\n' && (unicode.IsControl(r) || r == '\u202e' || r == '\u2066' || r == '\u2028') || r == utf8.RuneError {
			t.Errorf("%s: %q in %.300q", what, r, out[max(0, i-50):])
			return
		}
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
			t.Errorf("%s: a line of its own: %.300q", what, out)
		}
	}
}

// TestTerminalsAreLeftAlone has every command that prints what a server or a database says print hostile texts.
func TestTerminalsAreLeftAlone(t *testing.T) {
	t.Parallel()
	const id = "0197841c-2a00-7aaa-8000-000000000001"
	run202 := filled[api.Run]()
	backfill := filled[api.Backfill]()
	answers := map[string]any{
		"GET /runs": filled[api.RunList](), "GET /runs/" + id: filled[api.RunDetail](), "POST /runs/" + id + "/cancel": run202, "POST /runs/" + id + "/retry": run202, "POST /runs": run202, "POST /jobs/x/runs": run202,
		"GET /jobs": filled[api.JobList](), "GET /schedules": filled[api.ScheduleList](), "POST /schedules/x/start": filled[api.Schedule](), "POST /schedules/x/stop": filled[api.Schedule](), "POST /schedules/x/run": run202,
		"GET /schedules/x/ticks": filled[api.TickList](), "GET /sensors": filled[api.SensorList](), "POST /sensors/x/start": filled[api.Sensor](), "POST /sensors/x/stop": filled[api.Sensor](),
		"GET /sensors/x/dry-run": filled[api.DryRun](), "GET /schedules/x/dry-run": filled[api.DryRun](), "POST /sensors/x/evaluate": filled[api.SensorTick](), "GET /sensors/x/ticks": filled[api.SensorTickList](), "GET /sensors/x/cursor": filled[api.SensorCursor](), "PUT /sensors/x/cursor": filled[api.Sensor](),
		"GET /sensors/x/run-keys": filled[api.RunKeyList](), "DELETE /sensors/x/run-keys": filled[api.RunKey](), "GET /assets/x/partitions": filled[api.AssetPartitions](), "GET /backfills": filled[api.BackfillList](),
		"GET /backfills/" + id: backfill, "POST /backfills": backfill, "POST /backfills/" + id + "/pause": backfill,
		"POST /backfills/" + id + "/resume": backfill, "POST /backfills/" + id + "/cancel": backfill,
		"POST /backfills/" + id + "/retry": backfill, "GET /alerts": filled[api.AlertList](),
		"GET /alert-channels": filled[api.AlertChannelList](), "POST /alert-channels/x/test": filled[api.Delivery](),
		"GET /alert-deliveries": filled[api.DeliveryList](), "GET /audit-log": filled[api.AuditLog](), "GET /readyz": filled[api.Readiness](), "GET /status": filled[api.SystemStatus](), "GET /version": filled[api.Version](), "GET /assets": filled[api.AssetList](),
		"GET /session": filled[api.SessionState](),
	}
	var (
		mu      sync.Mutex
		unknown []string
	)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.Method + " " + r.URL.Path
		if strings.HasPrefix(r.URL.Path, "/refuse") {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(api.Problem{Title: hostile, Status: 422, Detail: hostile, Type: hostile})
			return
		}
		if strings.HasSuffix(r.URL.Path, "/events") && r.Header.Get("Last-Event-ID") != "" {
			w.WriteHeader(http.StatusNoContent) // all was told
			return
		}
		if strings.HasSuffix(r.URL.Path, "/events") {
			w.Header().Set("Content-Type", "text/event-stream")
			for i, kind := range []string{"log", "step_started", hostile, "run_success"} {
				e := filled[api.Event]().(api.Event)
				e.ID, e.Type = int64(i+1), kind
				raw, _ := json.Marshal(e)
				fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, "x", raw)
			}
			return
		}
		v, ok := answers[at]
		if !ok {
			if !strings.Contains(at, "bills/") { // of the sources
				mu.Lock()
				unknown = append(unknown, at)
				mu.Unlock()
			}
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost && !strings.Contains(r.URL.Path, "/start") && !strings.Contains(r.URL.Path, "/stop") &&
			!strings.Contains(r.URL.Path, "/evaluate") {
			w.WriteHeader(http.StatusAccepted)
		}
		_ = json.NewEncoder(w).Encode(v)
	}))
	defer s.Close()
	d := dbtest.New(t)
	err := d.Tx(t.Context(), func(tx pgx.Tx) error {
		_, _, err := access.CreateKey(t.Context(), tx, hostile, access.ScopeRead, nil, hostile)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"EXPLORER_URL=" + s.URL, "DATABASE_URL=" + d.URL, "OPENPARLIAMENT_URL=" + s.URL,
		"LEGISINFO_URL=" + s.URL}
	for _, command := range []string{
		"runs", "runs show " + id, "runs watch " + id, "runs watch --data --level=debug " + id, "runs cancel " + id,
		"runs retry " + id, "runs retry --no-follow " + id, "materialize x", "jobs", "jobs run x",
		"schedules", "schedules start x", "schedules stop x", "schedules run x", "schedules dry-run x",
		"schedules ticks x", "sensors",
		"sensors start x", "sensors stop x", "sensors evaluate x", "sensors dry-run x",
		"sensors ticks x", "sensors cursor x",
		"sensors cursor x --set=y",
		"sensors run-keys x", "sensors run-keys forget x y", "partitions x", "backfill list", "backfill start x",
		"backfill watch " + id, "backfill pause " + id, "backfill resume " + id, "backfill cancel " + id,
		"backfill retry " + id,
		"alerts", "alerts channels", "alerts test x", "alerts deliveries", "audit", "doctor", "ready " + s.URL, "keys list",
		"migrate status",
	} {
		r := run(t, env, strings.Fields(command)...)
		plain(t, command, r.out)
		plain(t, command+" (errors)", r.err)
		if strings.Contains(r.err, "unexpected") || len(r.out)+len(r.err) == 0 {
			t.Errorf("%s printed %q, %q", command, r.out, r.err)
		}
		if r.code == 2 {
			t.Errorf("%s: %s", command, r.err)
		}
		// JSON stays JSON, and means the same.
		if jsonable := !strings.HasPrefix(command, "ready") && command != "doctor" && command != "migrate status" &&
			!strings.Contains(command, "watch") && !strings.Contains(command, "--no-follow"); jsonable {
			r := run(t, env, append(strings.Fields(command), "--json")...)
			plain(t, command+" --json", r.out)
			d := json.NewDecoder(strings.NewReader(r.out))
			var v any
			if err := d.Decode(&v); err != nil {
				t.Errorf("%s --json: %v: %.200q", command, err, r.out)
			} else if back, _ := json.Marshal(v); strings.Contains(r.out, "FORGED") &&
				!bytes.Contains(back, []byte("FORGED line")) {
				t.Errorf("%s --json: the text is another: %.300s", command, back)
			}
		}
	}
	// what a server says when it refuses
	for _, command := range []string{"runs", "runs show " + id, "materialize x", "backfill watch " +
		id, "audit", "alerts"} {
		r := run(t, append(env, "EXPLORER_URL="+s.URL+"/refuse"), strings.Fields(command)...)
		plain(t, command+" (refused)", r.out+r.err)
		if r.code != 2 || !strings.Contains(r.err, "FORGED") {
			t.Errorf("%s: %d %q", command, r.code, r.err)
		}
	}
	r := run(t, env, "runs", "--events\x1b[2J", "\xff\x9b")
	plain(t, "wrong flags", r.out+r.err)
	mu.Lock()
	defer mu.Unlock()
	if len(unknown) > 0 {
		t.Errorf("asked for %q: say here what is answered", unknown)
	}
}

// TestLogsAreLeftAlone logs hostile texts.
func TestLogsAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		out := cli.Logged(format, hostile+"\xff", "key", hostile, "error", fmt.Errorf("%s", hostile),
			"bytes", []byte(hostile))
		plain(t, format, out)
		if strings.Count(out, "\n") != 1 || format == "json" && !json.Valid([]byte(out)) {
			t.Errorf("%s: %q", format, out)
		}
	}
}

// TestOnlyTheTerminalPrints finds what prints beside the functions that make texts printable.
func TestOnlyTheTerminalPrints(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "terminal.go" {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id, ok := call.Fun.(*ast.Ident); ok && (id.Name == "printf" || id.Name == "printLine" || id.Name == "writef" ||
				id.Name == "writeLine" || id.Name == "newTable") {
				calls++
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := sel.X.(*ast.Ident)
			if pkg != nil && (pkg.Name == "fmt" && (strings.HasPrefix(sel.Sel.Name, "Fprint") || strings.HasPrefix(sel.Sel.Name,
				"Print")) || pkg.Name == "io" && sel.Sel.Name == "WriteString" || pkg.Name == "tabwriter") {
				t.Errorf("%s: %s.%s prints what it is given: use printf, printLine or newTable", set.Position(call.Pos()),
					pkg.Name, sel.Sel.Name)
			}
			if inner, ok := sel.X.(*ast.SelectorExpr); ok && (inner.Sel.Name == "out" || inner.Sel.Name == "err") &&
				strings.HasPrefix(sel.Sel.Name, "Write") {
				t.Errorf("%s prints what it is given", set.Position(call.Pos()))
			}
			return true
		})
	}
	if calls < 40 {
		t.Errorf("only %d calls were found", calls)
	}
}

// TestKeysAreMadeWithAnEntry has the commands that open the database change something: there is an entry, or nothing is
// done.
func TestKeysAreMadeWithAnEntry(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	env := []string{"DATABASE_URL=" + d.URL}
	if r := run(t, env, "keys", "create", "ops", "--scope", "read"); r.code != 0 {
		t.Fatal(r.err)
	}
	key := one[access.Key](t, d, "SELECT id, name, prefix, scope, created_by, created_at, expires_at, last_used_at, "+
		"revoked_at FROM api_keys")
	entry := one[access.Audit](t, d, "SELECT * FROM audit_log")
	if entry.Operation != "createKey" || entry.Status != 200 || !strings.HasPrefix(entry.Actor, "cli ") ||
		*entry.KeyID != key.ID {
		t.Errorf("entry %+v", entry)
	}
	if _, err := d.Pool.Exec(t.Context(),
		"ALTER TABLE audit_log ADD CONSTRAINT never CHECK (false) NOT VALID"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"keys", "create", "other", "--scope", "admin"}, {"keys", "revoke", key.ID.String()},
		{"migrate", "down"}} {
		if r := run(t, env, args...); r.code != 1 || !strings.Contains(r.err, "audit log") {
			t.Errorf("%v: %d %s", args, r.code, r.err)
		}
	}
	if key = one[access.Key](t, d, "SELECT id, name, prefix, scope, created_by, created_at, expires_at, last_used_at, "+
		"revoked_at FROM api_keys"); key.RevokedAt != nil {
		t.Error("the key was revoked without an entry")
	}
	if err := d.CheckMigrated(t.Context()); err != nil {
		t.Errorf("the schema was changed without an entry: %v", err)
	}
	if _, err := d.Pool.Exec(t.Context(), "ALTER TABLE audit_log DROP CONSTRAINT never"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"keys", "revoke", key.ID.String()}, {"migrate", "down"}, {"migrate", "up"}} {
		if r := run(t, env, args...); r.code != 0 {
			t.Errorf("%v: %s", args, r.err)
		}
	}
	rows, err := d.Pool.Query(t.Context(), "SELECT operation FROM audit_log ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	told, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if got := strings.Join(told, " "); err != nil || got != "createKey revokeKey migrateDown migrateUp" {
		t.Errorf("audit log %q, %v", got, err)
	}
}

// one reads the one row that there is.
func one[T any](t *testing.T, d *db.DB, sql string) T {
	t.Helper()
	rows, err := d.Pool.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
	if err != nil {
		t.Fatal(err)
	}
	return row
}

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/server"
)

// site is a running server with one worker in it.
type site struct {
	t     testing.TB
	url   string
	db    *db.DB
	store *parliament.Store
	echo  *echo.Echo
	gate  chan struct{} // asset "gated" ends when it is closed, or fails when it is sent to
}

type counted struct {
	Limit int `json:"limit" jsonschema:"minimum=1,maximum=500,default=50"`
}

// setup starts a server with an engine that has an asset, a job, a schedule and a sensor of each kind. It is long,
// because it declares them.
func setup(t testing.TB, change ...func(*server.Config)) *site {
	t.Helper()
	s := &site{t: t, db: dbtest.NewWatched(t), gate: make(chan struct{})}
	s.store = parliament.NewStore(s.db)
	echoing := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name: "echo", Group: "test", Description: "Gives back its limit.",
	}, func(_ context.Context, step *orchestrator.Step, c counted) (orchestrator.Metadata, error) {
		step.Log(eventlog.LevelInfo, "hello", map[string]int{"limit": c.Limit})
		return orchestrator.Metadata{"limit": c.Limit}, nil
	})
	gated := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name: "gated", Group: "test", Deps: []string{"echo"},
	}, func(ctx context.Context, _ *orchestrator.Step, _ struct{}) (orchestrator.Metadata, error) {
		select {
		case _, open := <-s.gate:
			if open {
				return nil, orchestrator.Permanent(errors.New("told to fail"))
			}
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{
		Assets:  []*orchestrator.Asset{echoing, gated, parted()},
		Sensors: sensors(),
		Jobs: []*orchestrator.Job{{Name: "both", Assets: []string{"echo", "gated"},
			Tags: map[string]string{"kind": "both"}}, {Name: "echo_job", Assets: []string{"echo"}}},
		Schedules: []*orchestrator.Schedule{{Name: "nightly", Job: "echo_job", Cron: "0 2 * * *"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	e, err := orchestrator.New(
		orchestrator.Config{DB: s.db, Definitions: defs, Logger: log, Work: true, SoftStop: time.Second},
	)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := notify.NewWebhook(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{
		DB: s.db, Engine: e, Store: s.store, Logger: log,
		WebhookSecrets: map[string][]*standardwebhooks.Webhook{"hook": {secret}},
	}
	for _, f := range change {
		f(&cfg)
	}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + l.Addr().String()
	s.echo = srv.Handler().(*echo.Echo)
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { served <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		defer cancel()
		limit, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if err := e.Stop(limit); err != nil {
			t.Errorf("stop the engine: %v", err)
		}
		if err := srv.Shutdown(limit); err != nil {
			t.Errorf("stop the server: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// parted has partitions, a check and a freshness policy.
func parted() *orchestrator.Asset {
	return orchestrator.NewAsset(orchestrator.AssetOptions{
		Name: "parted", Group: "parts", Partitions: orchestrator.StaticPartitions("letter", "a", "b", "c"),
		PartitionRequired: true, Freshness: &orchestrator.Freshness{MaxAge: time.Hour},
		Checks: []*orchestrator.Check{{Name: "fine", Description: "It always is.",
			Run: func(context.Context, *orchestrator.Step, orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				return orchestrator.CheckOutcome{Passed: true}, nil
			}}},
	}, func(_ context.Context, step *orchestrator.Step, _ struct{}) (orchestrator.Metadata, error) {
		return orchestrator.Metadata{"letter": step.Partition}, nil
	})
}

// sensors poll once, and turn webhooks into runs.
func sensors() []*orchestrator.Sensor {
	onHook := func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
		r := &orchestrator.SensorResult{}
		for _, w := range ev.Webhooks {
			r.Runs = append(
				r.Runs,
				orchestrator.RunRequest{Job: "echo_job", RunKey: w.ID, Tags: map[string]string{"webhook": w.ID}},
			)
		}
		return r, nil
	}
	return []*orchestrator.Sensor{
		{Name: "poll", Interval: time.Hour, Jobs: []string{"echo_job"},
			Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
				return &orchestrator.SensorResult{
					Cursor: ptr("1"), Runs: []orchestrator.RunRequest{{Job: "echo_job", RunKey: "1"}},
				}, nil
			}},
		orchestrator.NewWebhookSensor(orchestrator.Sensor{Name: "hook", Evaluate: onHook}),
		orchestrator.NewWebhookSensor(orchestrator.Sensor{Name: "deaf", Evaluate: onHook}),
	}
}

func ptr[T any](v T) *T { return &v }

// until waits until a condition holds in the site's database.
func (s *site) until(what string, is func() bool) {
	s.t.Helper()
	dbtest.Until(s.t, s.db, what, is)
}

// settled waits until readers in commit order see everything that was committed before.
func (s *site) settled() {
	s.t.Helper()
	dbtest.Settled(s.t, s.db)
}

type answer struct {
	*http.Response
	body []byte
}

// do sends a request; a body that is not empty is sent as JSON unless a header says otherwise.
func (s *site) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp, raw}
}

func decode[T any](t testing.TB, a answer, status int) T {
	t.Helper()
	var v T
	if a.StatusCode != status {
		t.Fatalf("%s %s: %d, want %d: %s", a.Request.Method, a.Request.URL, a.StatusCode, status, a.body)
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s %s: %v in %s", a.Request.Method, a.Request.URL, err, a.body)
	}
	return v
}

// start starts a run and gives it back.
func (s *site) start(path, body string, headers ...string) api.Run {
	s.t.Helper()
	return decode[api.Run](s.t, s.do("POST", path, body, headers...), http.StatusAccepted)
}

// ended follows a run's stream to its end and returns the run.
func (s *site) ended(id string) api.RunDetail {
	s.t.Helper()
	s.do("GET", "/runs/"+id+"/events", "", "Accept", "text/event-stream")
	return decode[api.RunDetail](s.t, s.do("GET", "/runs/"+id, ""), http.StatusOK)
}

// saveBill stores a small made-up bill.
func (s *site) saveBill(session, number, introduced, title string) {
	s.t.Helper()
	id, err := parliament.ParseBillID(session, number)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.store.Save(s.t.Context(), [16]byte{1},
		[]parliament.Record{{ID: id, FetchedAt: time.Now(), SourceRecords: parliament.SourceRecords{
			OpenParliament: &openparliament.Bill{Session: session, Number: number, NameEn: title, Introduced: introduced},
			Item: &legisinfo.Item{ID: 1, Session: session, Number: number, LongTitleEn: title, HouseFirst: introduced,
				Hash: title},
		}}})
	if err != nil {
		s.t.Fatal(err)
	}
}

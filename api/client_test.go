package api_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/cli"
)

// TestMain lets the test binary be the program itself, so that the client meets the real server.
func TestMain(m *testing.M) {
	if os.Getenv("EXPLORER_TEST_MAIN") != "" {
		os.Exit(cli.Main(os.Args[1:], "test", os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// demo starts the real server with a simulated Parliament behind it and gives its address.
func demo(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "demo")
	cmd.Env = append(os.Environ(), "EXPLORER_TEST_MAIN=1")
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	address, said := regexp.MustCompile(`Ready after .* at (http://\S+)`), ""
	lines := bufio.NewScanner(r)
	for url := ""; lines.Scan(); {
		said += lines.Text() + "\n"
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			url = m[1]
		}
		if url != "" && strings.Contains(lines.Text(), "Ctrl-C stops") {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return url
		}
	}
	t.Fatalf("the server did not start:\n%s", said)
	return ""
}

func TestClient(t *testing.T) {
	t.Parallel()
	base := demo(t)
	client, err := api.NewClientWithResponses(base)
	if err != nil {
		t.Fatal(err)
	}
	run, err := client.MaterializeAssetWithResponse(t.Context(), "fetch_latest_bills", nil,
		api.StartRunRequest{Config: json.RawMessage(`{"limit": 7}`)})
	if err != nil || run.JSON202 == nil {
		t.Fatalf("materialize: %v, %s", err, run.Body)
	}
	follow := func(c api.ClientInterface, after int64) (ids []int64, types []string) {
		for e, err := range api.FollowRun(t.Context(), c, run.JSON202.ID.String(), after) {
			if err != nil {
				t.Fatal(err)
			}
			ids, types = append(ids, e.ID), append(types, e.Type)
		}
		return ids, types
	}
	ids, types := follow(client, 0)
	if types[0] != "run_enqueued" || types[len(types)-1] != "run_success" || !slices.IsSorted(ids) {
		t.Errorf("events %v with ids %v", types, ids)
	}

	t.Run("GoesOnAfterABrokenConnection", func(t *testing.T) {
		t.Parallel()
		target, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		var cuts atomic.Int32
		proxy := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
			ModifyResponse: func(r *http.Response) error {
				if cuts.Add(1) <= 3 {
					r.Body = &cutBody{ReadCloser: r.Body, left: 600}
				}
				return nil
			},
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		}
		front := httptest.NewServer(proxy)
		t.Cleanup(front.Close)
		through, err := api.NewClient(front.URL)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := follow(through, 0); !slices.Equal(got, ids) {
			t.Errorf("through a bad connection %v, want %v", got, ids)
		}
		if cuts.Load() < 4 {
			t.Errorf("%d connections, want 4 or more", cuts.Load())
		}
	})
	t.Run("GoesOnAfterAnEvent", func(t *testing.T) {
		t.Parallel()
		if got, _ := follow(client, ids[2]); !slices.Equal(got, ids[3:]) {
			t.Errorf("after %d: %v, want %v", ids[2], got, ids[3:])
		}
	})
	t.Run("Bills", func(t *testing.T) {
		t.Parallel()
		bills, err := client.ListBillsWithResponse(t.Context(), &api.ListBillsParams{Limit: new(3)})
		if err != nil || bills.JSON200 == nil || len(bills.JSON200.Items) != 3 {
			t.Fatalf("bills: %v, %s", err, bills.Body)
		}
	})
	t.Run("Errors", func(t *testing.T) {
		t.Parallel()
		wrong, err := client.MaterializeAssetWithResponse(t.Context(), "fetch_latest_bills", nil,
			api.StartRunRequest{Config: json.RawMessage(`{"limit": 501}`)})
		if err != nil || wrong.ApplicationProblemJSON422 == nil {
			t.Fatalf("limit 501: %v, %s", err, wrong.Body)
		}
		if p := wrong.ApplicationProblemJSON422; len(p.Errors) != 1 || p.Errors[0].Pointer != "/config/limit" {
			t.Errorf("problem %+v", p)
		}
		for _, err := range api.FollowRun(t.Context(), client, "0197841c-2a00-7aaa-8000-000000000001", 0) {
			var p *api.Problem
			if !errors.As(err, &p) || p.Status != http.StatusNotFound {
				t.Errorf("following no run: %v", err)
			}
		}
	})
	t.Run("Example", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command("go", "run", "./example")
		cmd.Env = append(os.Environ(), "EXPLORER_URL="+base)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "run succeeded") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

// cutBody breaks off after so many bytes.
type cutBody struct {
	io.ReadCloser
	left int
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

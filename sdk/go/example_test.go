package explorer_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/parliament-explorer/parliament-explorer/api"
	explorer "github.com/parliament-explorer/parliament-explorer/sdk/go"
)

// answering is a server with answers of its own, in place of Parliament Explorer.
func answering(answers map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		switch {
		case r.Header.Get("Authorization") != "Bearer pex_example":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"type": "unauthorized", "title": "Unauthorized", "status": 401, "detail": "this needs an API key"}`)
		case r.Header.Get("Last-Event-ID") != "": // everything was sent
			w.WriteHeader(http.StatusNoContent)
		case ok && r.Header.Get("Accept") == "text/event-stream":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, answer)
		case ok:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, answer)
		default:
			http.NotFound(w, r)
		}
	}))
}

// List bills, and read what the server refuses as an error.
func Example() {
	server := answering(map[string]string{
		"/bills": `{"items": [{"id": "45-1/C-5", "title": {"en": "An Act respecting examples", "fr": null}}], "next_cursor": null}`,
	})
	defer server.Close()
	ctx := context.Background()
	client, err := explorer.New(server.URL, explorer.WithKey("pex_example"), explorer.WithHTTPClient(server.Client()))
	if err != nil {
		log.Fatal(err)
	}
	limit := 3
	bills, err := client.ListBillsWithResponse(ctx, &api.ListBillsParams{Limit: &limit})
	if err != nil {
		log.Fatal(err)
	}
	for _, bill := range bills.JSON200.Items {
		fmt.Println(bill.ID, *bill.Title.En)
	}
	stranger, err := explorer.New(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	refused, err := stranger.ListBillsWithResponse(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	if refused.JSON200 == nil {
		fmt.Println(explorer.ProblemOf(refused.HTTPResponse, refused.Body))
	}
	// Output:
	// 45-1/C-5 An Act respecting examples
	// this needs an API key
}

// Follow a run until it ends.
func ExampleFollowRun() {
	const run = "0198b1c2-0000-7000-8000-000000000000"
	server := answering(map[string]string{
		"/runs/" + run + "/events": `id: 1
event: run_enqueued
data: {"id": 1, "type": "run_enqueued", "message": "enqueued"}

id: 2
event: run_success
data: {"id": 2, "type": "run_success", "message": "succeeded"}

`,
	})
	defer server.Close()
	client, err := explorer.New(server.URL, explorer.WithKey("pex_example"))
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range explorer.FollowRun(context.Background(), client, run, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Type, event.Message)
	}
	// Output:
	// run_enqueued enqueued
	// run_success succeeded
}

// Command example materializes an asset with the Go client, follows its log, and reads what came of it.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/parliament-explorer/parliament-explorer/api"
)

func main() {
	ctx, url := context.Background(), cmp.Or(os.Getenv("EXPLORER_URL"), "http://127.0.0.1:8080")
	client, err := api.NewClientWithResponses(url)
	must(err)
	request := api.StartRunRequest{Config: json.RawMessage(`{"limit": 10}`)}
	run, err := client.MaterializeAssetWithResponse(ctx, "fetch_latest_bills", nil, request)
	must(err)
	if run.JSON202 == nil {
		must(api.ProblemOf(run.HTTPResponse, run.Body))
	}
	for event, err := range api.FollowRun(ctx, client, run.JSON202.ID.String(), 0) {
		must(err)
		fmt.Println(event.At.Format("15:04:05.000"), event.Level, event.Message)
	}
	bills, err := client.ListBillsWithResponse(ctx, &api.ListBillsParams{Limit: new(3)})
	must(err)
	for _, bill := range bills.JSON200.Items {
		fmt.Println(bill.ID, *bill.Title.En, "/", *bill.Title.Fr)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

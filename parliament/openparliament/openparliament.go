// Package openparliament reads bills from the API of openparliament.ca. Its list is in no order of time, whatever is
// asked for; a date window and sorting on this side make "the latest". It knows nothing before the 37th Parliament.
package openparliament

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// Source is the name of this source.
const Source = "openparliament"

// FirstParliament is the earliest one it has bills of.
const FirstParliament = 37

// Bill is an item of the bills list.
type Bill struct {
	Session     string `json:"session"` // "44-1"
	Number      string `json:"number"`  // "C-11"
	LegisinfoID int    `json:"legisinfo_id,omitempty"`
	Introduced  string `json:"introduced,omitempty"` // "2022-02-02", or empty
	NameEn      string `json:"name_en,omitempty"`
	NameFr      string `json:"name_fr,omitempty"`
	URL         string `json:"url,omitempty"` // host-relative
}

// Client asks the service.
type Client struct{ *upstream.Client }

// BillsSince gives the bills introduced on a day or later, in no order.
func (c Client) BillsSince(ctx context.Context, day time.Time) ([]Bill, []*upstream.RecordError, error) {
	return c.bills(ctx, url.Values{"introduced__gte": {day.Format(time.DateOnly)}})
}

// BillsOfSession gives the bills of a session such as "44-1", in no order.
func (c Client) BillsOfSession(ctx context.Context, session string) ([]Bill, []*upstream.RecordError, error) {
	return c.bills(ctx, url.Values{"session": {session}})
}

const (
	pageSize = 500 // the most it gives
	maxPages = 100 // far beyond all bills there are: a next_url that leads in circles
)

func (c Client) bills(ctx context.Context, query url.Values) (bills []Bill, faults []*upstream.RecordError, err error) {
	seen := map[string]bool{}
	err = c.pages(ctx, "/bills/", query, func(page string, raw json.RawMessage) {
		b, err := ParseBill(raw)
		if err != nil {
			faults = append(faults, &upstream.RecordError{URL: c.URL(b.link(page)), Err: err})
			return
		}
		if key := b.Session + "/" + b.Number; !seen[key] { // pages shift when a bill is added between two requests
			seen[key] = true
			bills = append(bills, b)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return bills, faults, nil
}

// pages gives every object of a list to f, with the path of the page it is on.
func (c Client) pages(ctx context.Context, list string, query url.Values, f func(page string, raw json.RawMessage)) error {
	query.Set("limit", fmt.Sprint(pageSize))
	query.Set("format", "json")
	query.Set("version", "v1")
	next := list + "?" + query.Encode()
	for range maxPages {
		var page struct {
			Objects    []json.RawMessage `json:"objects"`
			Pagination struct {
				NextURL *string `json:"next_url"`
			} `json:"pagination"`
		}
		if err := c.GetJSON(ctx, next, &page); err != nil {
			return err
		}
		for _, raw := range page.Objects {
			f(next, raw)
		}
		if page.Pagination.NextURL == nil || *page.Pagination.NextURL == "" {
			return nil
		}
		if next = *page.Pagination.NextURL; !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
			return fmt.Errorf("%s: next_url %q leads away from the service", Source, next)
		}
	}
	return fmt.Errorf("%s: the list %s has more than %d pages", Source, list, maxPages)
}

func (b Bill) link(page string) string {
	if strings.HasPrefix(b.URL, "/") {
		return b.URL
	}
	return page
}

// ParseBill reads one object of the bills list. On an error the bill has what could be read.
func ParseBill(raw []byte) (Bill, error) {
	var o struct {
		Session     string  `json:"session"`
		Number      string  `json:"number"`
		LegisinfoID *int    `json:"legisinfo_id"`
		Introduced  *string `json:"introduced"`
		Name        struct {
			En string `json:"en"`
			Fr string `json:"fr"`
		} `json:"name"`
		URL string `json:"url"`
	}
	err := json.Unmarshal(raw, &o)
	b := Bill{Session: o.Session, Number: o.Number, NameEn: o.Name.En, NameFr: o.Name.Fr, URL: o.URL}
	if err != nil {
		return b, err
	}
	if o.LegisinfoID != nil {
		b.LegisinfoID = *o.LegisinfoID
	}
	if o.Introduced != nil && *o.Introduced != "" {
		if _, err := time.Parse(time.DateOnly, *o.Introduced); err != nil {
			return b, fmt.Errorf("introduced %q is not a date", *o.Introduced)
		}
		b.Introduced = *o.Introduced
	}
	return b, nil
}

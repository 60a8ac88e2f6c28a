// Package openparliament reads bills and politicians from the API of openparliament.ca. The API does not sort its lists
// by date, so this package requests the latest bills by a range of dates and sorts them. The API has no bills before
// the 37th Parliament.
//
// Begin reading at Client.BillsOfSession and Client.Politicians; lister reads the pages of a list.
package openparliament

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// Source is the name of this source.
const Source = "openparliament"

// FirstParliament is the earliest Parliament whose bills the source has.
const FirstParliament = 37

// Bill is an item of the list of bills.
type Bill struct {
	Session     string `json:"session"` // "44-1"
	Number      string `json:"number"`  // "C-11"
	LegisinfoID int    `json:"legisinfo_id,omitempty"`
	Introduced  string `json:"introduced,omitempty"` // "2022-02-02", or empty
	NameEn      string `json:"name_en,omitempty"`
	NameFr      string `json:"name_fr,omitempty"`
	URL         string `json:"url,omitempty"` // host-relative
}

// Client requests data from openparliament.ca.
type Client struct{ *upstream.Client }

// BillsSince returns the bills introduced on or after a day, unsorted. The record errors are those of items that could
// not be read.
func (c Client) BillsSince(ctx context.Context, day time.Time) ([]Bill, []*upstream.RecordError, error) {
	return c.bills(ctx, url.Values{"introduced__gte": {day.Format(time.DateOnly)}})
}

// BillsOfSession returns the bills of a session such as "44-1", unsorted. The record errors are those of items that
// could not be read.
func (c Client) BillsOfSession(ctx context.Context, session string) ([]Bill, []*upstream.RecordError, error) {
	return c.bills(ctx, url.Values{"session": {session}})
}

// maxPages is far more than all bills need. It stops a next_url that leads in circles.
const maxPages = 100

// pageSizes are the page sizes of the first reading of a list, and of further readings if it was incomplete. The
// service's maximum is 500; the other sizes move the ends of pages.
var pageSizes = []int{500, 457, 389}

func (c Client) bills(ctx context.Context, query url.Values) (bills []Bill, faults []*upstream.RecordError, err error) {
	l := lister[Bill]{parse: ParseBill, key: func(b Bill) string { return b.Session + "/" + b.Number }}
	if err := c.pages(ctx, "/bills/", query, &l); err != nil {
		return nil, nil, err
	}
	return l.records, l.faults, nil
}

// lister collects the records of a list without duplicates. Pages shift if a record is added between two requests, and
// the order of records with the same number differs between pages.
type lister[T any] struct {
	parse func(raw []byte) (T, error)
	key   func(T) string

	seen    map[string]bool
	records []T
	faults  []*upstream.RecordError // of the last reading
	read    int                     // records of the last reading, all told
	good    int                     // those of them that could be read, also such as came twice
	text    int                     // bytes of the keys and records that are kept, roughly
}

// maxText limits what is kept of a list, in bytes. All existing bills have 3 MB.
const maxText = 32 << 20

// pages reads a list from its first page to its last. The number of different records must equal the number of records.
// If a record came twice, another one did not come at all, and the list is read again with other page sizes.
func (c Client) pages(ctx context.Context, list string, query url.Values, l pager) error {
	for _, size := range pageSizes {
		query.Set("limit", fmt.Sprint(size))
		l.again()
		several, err := c.reading(ctx, list, query, l)
		if err != nil || !several || l.whole() {
			return err
		}
	}
	l.short(c.URL(list))
	return nil
}

// reading reads all pages once. several reports that there was more than one.
func (c Client) reading(ctx context.Context, list string, query url.Values, l pager) (several bool, err error) {
	query.Set("format", "json")
	query.Set("version", "v1")
	next := list + "?" + query.Encode()
	been := map[string]bool{}
	for n := range maxPages {
		var pagination struct {
			NextURL *string `json:"next_url"`
		}
		been[next] = true
		record, begin := l.page(c, next)
		err := c.GetList(ctx, next, upstream.List{
			Field: "objects", Begin: func() { begin(); pagination.NextURL = nil }, Record: record,
			Fields: map[string]any{"pagination": &pagination},
		})
		if err != nil {
			return false, err
		}
		if pagination.NextURL == nil || *pagination.NextURL == "" {
			return n > 0, nil
		}
		from := next
		to, own := c.Within(*pagination.NextURL)
		switch next = to; {
		case !own:
			return false, upstream.Refused(
				c.URL(from),
				"has the next_url "+upstream.Words(fmt.Sprintf("%q", *pagination.NextURL))+", which leads away from the service",
			)
		case len(next) > maxURL:
			return false, upstream.Refused(c.URL(from), fmt.Sprintf("has a next_url of %d bytes", len(next)))
		}
		if next = slashed(next); been[next] {
			return false, upstream.Refused(c.URL(from), "has a next_url that leads in circles")
		}
	}
	return false, upstream.Refused(c.URL(list), fmt.Sprintf("has more than %d pages", maxPages))
}

// slashed returns a path with a slash at its end, before the query. The service has no pages at paths without it.
func slashed(path string) string {
	before, query, has := strings.Cut(path, "?")
	if !strings.HasSuffix(before, "/") {
		before += "/"
	}
	if has {
		before += "?" + query
	}
	return before
}

// pager is a lister of any type of record.
type pager interface {
	// page returns a function that receives the records of a page, and one that discards them when the page is requested
	// again.
	page(c Client, path string) (record func(raw []byte, err error) error, begin func())
	// again starts another reading. Its records are added to those of earlier readings.
	again()
	// whole reports whether the number of different records equals the number of records of the last reading.
	whole() bool
	// short adds the error of an incomplete list.
	short(url string)
}

func (l *lister[T]) again() { l.faults, l.read, l.good = nil, 0, 0 }

func (l *lister[T]) whole() bool { return len(l.records) >= l.good }

func (l *lister[T]) short(address string) {
	l.faults = upstream.AddFault(
		l.faults, address,
		fmt.Errorf("the list has %d records, but its pages have only %d different ones", l.good, len(l.records)),
	)
}

func (l *lister[T]) page(c Client, path string) (record func(raw []byte, err error) error, begin func()) {
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	records, faults, more, read, good, text := len(l.records), len(l.faults), 0, l.read, l.good, l.text
	if faults > upstream.MaxFaults {
		more = l.faults[upstream.MaxFaults].More
	}
	begin = func() {
		for _, r := range l.records[records:] {
			delete(l.seen, l.key(r))
		}
		l.records, l.faults, l.read, l.good, l.text = l.records[:records], l.faults[:faults], read, good, text
		if more > 0 {
			l.faults[upstream.MaxFaults].More = more
		}
	}
	record = func(raw []byte, err error) error {
		if l.read++; l.read > upstream.MaxRecords {
			return upstream.Refused(
				c.URL(path), fmt.Sprintf("has more than %d records, with those of the pages before it", upstream.MaxRecords),
			)
		}
		at := path
		var r T
		if err == nil {
			r, err = l.parse(raw)
			if o, ok := any(r).(interface{ link(string) string }); ok {
				at = o.link(path)
			}
		}
		if err != nil {
			l.faults = upstream.AddFault(l.faults, c.URL(at), err)
			return nil
		}
		l.good++
		if key := l.key(r); !l.seen[key] {
			if l.text += len(raw); l.text > maxText {
				return upstream.Refused(
					c.URL(path), fmt.Sprintf("has more than %d bytes of records, with those of the pages before it", maxText),
				)
			}
			l.seen[key] = true
			l.records = append(l.records, r)
		}
		return nil
	}
	return record, begin
}

// maxURL is the maximum length of a host-relative address.
const maxURL = 1000

func (b Bill) link(page string) string {
	if strings.HasPrefix(b.URL, "/") && len(b.URL) <= maxURL {
		return b.URL
	}
	return page
}

// ParseBill parses one object of the list of bills. If there is an error, the bill has the fields that could be read.
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
	b := Bill{
		Session: upstream.Cut(o.Session, upstream.MaxMark), Number: upstream.Cut(o.Number, upstream.MaxMark),
		NameEn: upstream.Cut(o.Name.En, upstream.MaxText), NameFr: upstream.Cut(o.Name.Fr, upstream.MaxText), URL: o.URL,
	}
	switch {
	case len(b.URL) >= maxURL || strings.ContainsFunc(b.URL, unicode.IsControl):
		b.URL = ""
	case strings.HasPrefix(b.URL, "/"):
		b.URL = slashed(b.URL)
	}
	if err != nil {
		return b, err
	}
	if o.LegisinfoID != nil {
		if b.LegisinfoID = *o.LegisinfoID; b.LegisinfoID < 0 || b.LegisinfoID > math.MaxInt32 {
			return b, fmt.Errorf("legisinfo_id %d is none", b.LegisinfoID)
		}
	}
	if o.Introduced != nil && *o.Introduced != "" {
		day, err := time.Parse(time.DateOnly, *o.Introduced)
		if err != nil {
			return b, fmt.Errorf("introduced %q is not a date", *o.Introduced)
		}
		if upstream.Plausible(day) { // one slip costs the day, and not the bill
			b.Introduced = *o.Introduced
		}
	}
	return b, nil
}

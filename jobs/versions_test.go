package jobs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// TestVersionsOverTime follows a bill from its introduction until it is law: each change is a version, and a day on
// which nothing changed is none.
func TestVersionsOverTime(t *testing.T) {
	t.Parallel()
	forEachSource(t, lastDay, func(t *testing.T, r source) {
		session, law := r.course(t)
		assent := (*law.ReceivedRoyalAssentDateTime)[:10]
		p := newPipeline(t, r, 0)
		fetch := func(day string) metadata {
			r.post(t, "/clock?as_of="+url.QueryEscape(day))
			return p.succeed(t, "fetch_parliament_session_bills", sessionConfig(session))
		}
		fetch(law.introduced())
		versions := p.count(t, "SELECT count(*) FROM bill_versions")
		r.post(t, "/reset")
		md := fetch(law.introduced())
		_, li := r.stats(t)
		if md.Created+md.Updated != 0 || p.count(t, "SELECT count(*) FROM bill_versions") != versions ||
			li.path("/bill/") != 0 {
			t.Errorf("an unchanged day: %+v, %d details asked for", md, li.path("/bill/"))
		}
		fetch(assent)
		id, err := parliament.ParseBillID(session, law.NumberCode)
		if err != nil {
			t.Fatal(err)
		}
		vs, err := p.store.Versions(t.Context(), id, 0, 10)
		if err != nil || len(vs) != 2 {
			t.Fatalf("%s: %d versions, %v", id, len(vs), err)
		}
		if len(vs[1].Changes) != 0 {
			t.Errorf("first version: %v", vs[1].Changes)
		}
		for field, want := range map[string]string{
			"law": "false -> true", "royal_assent_on": fmt.Sprintf("null -> %q", assent), "statute": fmt.Sprintf(`null -> {"year":%d,"chapter":%d}`, *law.StatuteYear, *law.StatuteChapter),
		} {
			if s := change(t, vs[0], field); s != want {
				t.Errorf("%s, second version, %s: %s, want %s", id, field, s, want)
			}
		}
		b, err := p.store.Bill(t.Context(), id)
		if err != nil || !b.Law || b.Version != 2 || *b.Status.Code != "RoyalAssentGiven" {
			t.Errorf("%s = %+v, %v", id, b, err)
		}
	})
}

func change(t testing.TB, v parliament.Version, field string) string {
	t.Helper()
	for _, c := range v.Changes {
		if c.Field == field {
			return compact(t, c.From) + " -> " + compact(t, c.To)
		}
	}
	return ""
}

// TestVersionsOfC11 follows one real bill.
func TestVersionsOfC11(t *testing.T) {
	t.Parallel()
	r := startReplay(t, time.Date(2022, 2, 2, 0, 0, 0, 0, time.UTC))
	p := newPipeline(t, r, 0)
	fetch := func(day string) metadata {
		r.post(t, "/clock?as_of="+url.QueryEscape(day))
		return p.succeed(t, "fetch_parliament_session_bills", `{"parliament": 44, "session": 1}`)
	}
	fetch("2022-02-02")
	fetch("2022-06-21")
	fetch("2023-04-27")
	id, err := parliament.ParseBillID("44-1", "C-11")
	if err != nil {
		t.Fatal(err)
	}
	vs, err := p.store.Versions(t.Context(), id, 0, 10)
	if err != nil || len(vs) != 3 {
		t.Fatalf("%d versions, %v", len(vs), err)
	}
	if len(vs[2].Changes) != 0 {
		t.Errorf("first version: %v", vs[2].Changes)
	}
	if s := change(t, vs[1], "status"); !strings.Contains(s, "HouseAt2ndReading") ||
		!strings.Contains(s, `"code":"SenateAt2ndReading"`) {
		t.Errorf("second version, status: %s", s)
	}
	for field, want := range map[string]string{
		"law": "false -> true", "royal_assent_on": `null -> "2023-04-27"`, "statute": `null -> {"year":2023,"chapter":8}`,
	} {
		if s := change(t, vs[0], field); s != want {
			t.Errorf("third version, %s: %s, want %s", field, s, want)
		}
	}
	b, err := p.store.Bill(t.Context(), id)
	if err != nil || !b.Law || b.Version != 3 || *b.Status.Code != "RoyalAssentGiven" {
		t.Errorf("C-11 = %+v, %v", b, err)
	}
}

func compact(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

package simulate

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// firstParliament is the earliest one that openparliament.ca has bills of.
const firstParliament = 37

// statusCodes are the statuses that openparliament.ca knows; it leaves any other empty.
var statusCodes = map[status]struct{ code, name string }{
	houseInCommittee:  {"HouseInCommittee", "In committee (House)"},
	senateInCommittee: {"SenateInCommittee", "In committee (Senate)"},
	houseAtSecond:     {"HouseAt2ndReading", "Second reading (House)"},
	senateAtSecond:    {"SenateAt2ndReading", "Second reading (Senate)"},
	houseAtThird:      {"HouseAt3rdReading", "Third reading (House)"},
	houseAtReport:     {"HouseAtReportStage", "Report stage (House)"},
	notProceeded:      {"WillNotBeProceededWith", "Dead"},
	proForma:          {"ProForma", "Not a real bill (bills C-1 and S-1 are weird procedural relics)"},
	outsideOrder:      {"OutsideOrderPrecedence", "Outside the Order of Precedence"},
	assented:          {"RoyalAssentGiven", "Law (royal assent given)"},
	awaitingHouse:     {"SenateBillWaitingHouse", "Senate bill, now waiting to be considered in the House"},
	awaitingSenate:    {"HouseBillWaitingSenate", "Bill passed the House, now waiting to be considered in the Senate"},
	billDefeated:      {"BillDefeated", "Defeated"}, awaitingAssent: {"RoyalAssentAwaiting", "Awaiting royal assent"},
}

// openParliament serves the API of openparliament.ca.
func (w *World) openParliament() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bills/{$}", func(rw http.ResponseWriter, r *http.Request) {
		v := w.view()
		bills, err := v.filter(v.table(r.URL.Query().Get("offset")), r.URL.Query())
		if err != nil {
			badRequest(rw, "%s", err)
			return
		}
		page(rw, r, bills, 20, (*known).listed)
	})
	mux.HandleFunc("GET /bills/{session}/{$}", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "/bills/?session="+url.QueryEscape(r.PathValue("session")), http.StatusFound)
	})
	mux.HandleFunc("GET /bills/{session}/{number}/{$}", func(rw http.ResponseWriter, r *http.Request) {
		v := w.view()
		k := v.byCode[r.PathValue("session")+"/"+r.PathValue("number")]
		if k == nil || k.session.parliament < firstParliament {
			http.NotFound(rw, r)
			return
		}
		writeJSON(rw, w.billDetail(v, k))
	})
	mux.HandleFunc("GET /politicians/{$}", w.politicians)
	mux.HandleFunc("GET /politicians/{slug}/{$}", w.politician)
	mux.HandleFunc("GET /votes/{$}", w.votes)
	mux.HandleFunc("GET /votes/ballots/{$}", w.ballots)
	mux.HandleFunc("GET /votes/{session}/{$}", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "/votes/?session="+url.QueryEscape(r.PathValue("session")), http.StatusFound)
	})
	mux.HandleFunc("GET /votes/{session}/{number}/{$}", w.vote)
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		writeJSON(rw, map[string]any{
			"resources": map[string]string{"bills_url": "/bills/", "politicians_url": "/politicians/", "votes_url": "/votes/"},
		})
	})
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("API-Version", "v1")
		if f := r.URL.Query().Get("format"); f != "" && f != "json" && f != "apibrowser" {
			http.Error(rw, "This resource is not available in the requested format.", http.StatusNotAcceptable)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(rw, r)
			return
		}
		mux.ServeHTTP(rw, r)
	})
}

// table is the list in its own order, which is not that of time, whatever order is asked for. Bills of several sessions
// with one number are in no fixed order: it differs from page to page.
func (v *view) table(offset string) []*known {
	var bills []*known
	for _, k := range v.bills {
		if k.session.parliament >= firstParliament {
			bills = append(bills, k)
		}
	}
	if n, _ := strconv.Atoi(offset); n > 0 && n%2 == 0 {
		place := func(k *known) string { return fmt.Sprintf("%t %s %05d", k.number >= 200, k.prefix, k.number) }
		for from := 0; from < len(bills); {
			upto := from + 1
			for upto < len(bills) && place(bills[upto]) == place(bills[from]) {
				upto++
			}
			slices.Reverse(bills[from:upto])
			from = upto
		}
	}
	return bills
}

var (
	operators = []string{"", "exact", "gt", "gte", "lt", "lte", "isnull", "range"}
	isoDate   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

// filter applies the filters that there are; a parameter of another name, order_by among them, changes nothing.
func (v *view) filter(bills []*known, query url.Values) ([]*known, error) {
	for param, values := range query {
		value := values[len(values)-1]
		if value == "" {
			continue
		}
		field, op, _ := strings.Cut(param, "__")
		var keep func(*known) bool
		switch field {
		case "session":
			keep = func(k *known) bool { return k.session.code() == value }
		case "introduced":
			var err error
			if keep, err = byDate(op, value); err != nil {
				return nil, err
			}
		case "legisinfo_id":
			id, err := strconv.Atoi(value)
			if err != nil {
				//nolint:staticcheck // as it answers
				return nil, fmt.Errorf("Field 'legisinfo_id' expected a number but got '%s'.", value)
			}
			keep = func(k *known) bool { return k.id == id }
		case "number":
			keep = func(k *known) bool { return k.code() == value }
		case "law": // true or null, never false
			keep = func(k *known) bool { return truthy(value) && v.status(k) == assented }
		case "private_member_bill":
			keep = func(k *known) bool { return (k.number >= 200) == truthy(value) }
		case "status_code":
			keep = func(k *known) bool { return statusCodes[v.status(k)].code == value }
		case "sponsor_politician":
			parts := strings.Split(strings.TrimRight(value, "/"), "/")
			keep = func(k *known) bool { return k.prefix == "C" && k.sponsor.slug == parts[len(parts)-1] }
		default:
			continue
		}
		if field != "introduced" && op != "" && op != "exact" {
			return nil, fmt.Errorf("Invalid filter argument %s", op) //nolint:staticcheck // as it answers
		}
		bills = slices.DeleteFunc(bills, func(k *known) bool { return !keep(k) })
	}
	return bills, nil
}

func (v *view) status(k *known) status { return k.status(k.reached(v.end), v.end) }

func truthy(s string) bool { return s == "true" || s == "True" || s == "1" }

func byDate(op, value string) (func(*known) bool, error) {
	if !slices.Contains(operators, op) {
		return nil, fmt.Errorf("Invalid filter argument %s", op) //nolint:staticcheck // as it answers
	}
	if op == "isnull" {
		return func(k *known) bool { return (k.introduced() == "") == truthy(value) }, nil
	}
	bounds := []string{value}
	if op == "range" {
		bounds = strings.Split(value, ",")
	}
	for _, b := range bounds {
		if !isoDate.MatchString(b) {
			return nil, fmt.Errorf("['“%s” value has an invalid date format. It must be in YYYY-MM-DD format.']", b)
		}
	}
	if op == "range" && len(bounds) != 2 {
		return nil, fmt.Errorf("range wants two dates")
	}
	return func(k *known) bool {
		d := k.introduced()
		if d == "" {
			return false
		}
		c := strings.Compare(d, bounds[0])
		switch op {
		case "gt":
			return c > 0
		case "gte":
			return c >= 0
		case "lt":
			return c < 0
		case "lte":
			return c <= 0
		case "range":
			return c >= 0 && d <= bounds[1]
		}
		return c == 0
	}, nil
}

func (k *known) url() string { return "/bills/" + k.session.code() + "/" + k.code() + "/" }

// listed is the bill in the list.
func (k *known) listed() map[string]any {
	var introduced any
	if d := k.introduced(); d != "" {
		introduced = d
	}
	return map[string]any{
		"session": k.session.code(), "number": k.code(), "legisinfo_id": k.id, "introduced": introduced,
		"name": map[string]any{"en": k.titleEn, "fr": k.titleFr}, "url": k.url(),
	}
}

func (w *World) billDetail(v *view, k *known) map[string]any {
	s := v.status(k)
	var law, sponsor, text any
	if s == assented {
		law = true
	}
	if k.prefix == "C" {
		sponsor = "/politicians/" + k.sponsor.slug + "/"
	}
	if texts, _ := k.record()["Publications"].([]any); len(texts) > 0 {
		text = fmt.Sprintf("https://www.parl.ca/DocumentViewer/en/%d", texts[len(texts)-1].(record)["PublicationId"])
	}
	votes := []string{}
	for _, d := range v.divisions() {
		if d.bill == k {
			votes = append(votes, d.url())
		}
	}
	slices.Reverse(votes)
	d := k.listed()
	for name, value := range map[string]any{
		"short_title":  map[string]any{"en": k.shortEn, "fr": k.shortFr},
		"home_chamber": map[string]string{"C": "House", "S": "Senate"}[k.prefix], "law": law, "vote_urls": votes,
		"private_member_bill":    k.number >= 200,
		"sponsor_politician_url": sponsor, "sponsor_politician_membership_url": nil, "text_url": text,
		"legisinfo_url": fmt.Sprintf("https://www.parl.ca/legisinfo/en/bill/%s/%s", k.session.code(), k.code()),
		"status_code":   statusCodes[s].code, "status": map[string]any{"en": cmp.Or(statusCodes[s].name, "Unknown")},
		"related": map[string]any{"bills_url": "/bills/"},
	} {
		d[name] = value
	}
	return d
}

// page writes one page of a list.
func page[T any](rw http.ResponseWriter, r *http.Request, all []T, standard int, show func(T) map[string]any) {
	query, limit, offset := r.URL.Query(), standard, 0
	for name, into := range map[string]*int{"limit": &limit, "offset": &offset} {
		if !query.Has(name) {
			continue
		}
		n, err := strconv.Atoi(query.Get(name))
		if err != nil || n < 0 {
			badRequest(rw, "Invalid %s '%s' provided. Please provide an integer.", name, query.Get(name))
			return
		}
		*into = n
	}
	if limit = min(limit, 500); limit == 0 {
		limit = standard
	}
	at := func(offset int) string {
		query.Set("limit", strconv.Itoa(limit))
		query.Set("offset", strconv.Itoa(max(offset, 0)))
		return r.URL.Path + "?" + query.Encode()
	}
	pagination := map[string]any{"offset": offset, "limit": limit, "next_url": nil, "previous_url": nil}
	if offset+limit < len(all) {
		pagination["next_url"] = at(offset + limit)
	}
	if offset > 0 {
		pagination["previous_url"] = at(offset - limit)
	}
	objects := []map[string]any{}
	for _, item := range all[min(offset, len(all)):min(offset+limit, len(all))] {
		objects = append(objects, show(item))
	}
	writeJSON(rw, map[string]any{"objects": objects, "pagination": pagination})
}

func (d division) listed() map[string]any {
	return map[string]any{
		"bill_url": d.bill.url(), "session": d.bill.session.code(), "number": d.number, "date": d.day(),
		"description": map[string]any{"en": d.subjectEn, "fr": d.subjectFr}, "result": d.outcome(),
		"yea_total": d.yeas, "nay_total": d.nays, "paired_total": d.paired, "url": d.url(),
	}
}

// votes serves the divisions on bills.
func (w *World) votes(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	bill := strings.Split(strings.Trim(q.Get("bill"), "/"), "/")
	kept := slices.DeleteFunc(slices.Clone(w.view().divisions()), func(d division) bool {
		return q.Has("session") && d.bill.session.code() != q.Get("session") || q.Has("number") &&
			strconv.Itoa(d.number) != q.Get("number") || q.Has("date__gte") && d.day() < q.Get("date__gte") ||
			q.Has("result") && d.outcome() != q.Get("result") || q.Has("bill") &&
			(len(bill) < 2 || d.bill.session.code() != bill[len(bill)-2] || d.bill.code() != bill[len(bill)-1])
	})
	page(rw, r, kept, 20, division.listed)
}

func (v *view) division(session, number string) (division, bool) {
	for _, d := range v.divisions() {
		if d.bill.session.code() == session && strconv.Itoa(d.number) == number {
			return d, true
		}
	}
	return division{}, false
}

// vote serves one division, with how parties voted.
func (w *World) vote(rw http.ResponseWriter, r *http.Request) {
	d, ok := w.view().division(r.PathValue("session"), r.PathValue("number"))
	if !ok {
		http.NotFound(rw, r)
		return
	}
	out, counts := d.listed(), map[string]map[string]int{}
	for _, b := range w.ballotsOf(d) {
		if counts[b.member.party] == nil {
			counts[b.member.party] = map[string]int{}
		}
		counts[b.member.party][b.vote]++
	}
	names := []any{}
	for _, party := range parties {
		c, line := counts[party], "Yes"
		if c == nil {
			continue
		}
		if c["No"] > c["Yes"] {
			line = "No"
		}
		disagreement := float64(min(c["Yes"], c["No"])) / float64(max(1, c["Yes"]+c["No"]))
		if disagreement >= 0.15 {
			line = "Free vote"
		}
		names = append(names, map[string]any{
			"vote": line, "disagreement": disagreement,
			"party": map[string]any{"name": map[string]any{"en": party}, "short_name": map[string]any{"en": party}},
		})
	}
	out["context_statement"] = nil
	out["party_votes"] = names
	out["related"] = map[string]any{"ballots_url": "/votes/ballots/?vote=" + url.QueryEscape(d.url())}
	writeJSON(rw, out)
}

// ballot is how a member voted; parties mostly stand together.
type ballot struct {
	division division
	member   member
	vote     string
}

func hashed(parts ...any) int {
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, parts...)
	return int(h.Sum32() % 100)
}

func (w *World) ballotsOf(d division) []ballot {
	var out []ballot
	for _, m := range w.members {
		b := ballot{d, m, "No"}
		if hashed("party", d.url(), m.party) < 100*d.yeas/(d.yeas+d.nays) {
			b.vote = "Yes"
		}
		switch n := hashed("member", d.url(), m.id); {
		case n < 8:
			b.vote = "Didn't vote"
		case n < 10:
			b.vote = map[string]string{"Yes": "No", "No": "Yes"}[b.vote]
		}
		out = append(out, b)
	}
	return out
}

func (b ballot) listed() map[string]any {
	return map[string]any{
		"vote_url": b.division.url(), "politician_url": "/politicians/" + b.member.slug + "/",
		"politician_membership_url": fmt.Sprintf("/politicians/memberships/%d/", b.member.id), "ballot": b.vote,
	}
}

// ballots serves how members voted.
func (w *World) ballots(rw http.ResponseWriter, r *http.Request) {
	v, q := w.view(), r.URL.Query()
	chosen := v.divisions()
	if q.Has("vote") {
		parts := strings.Split(strings.Trim(q.Get("vote"), "/"), "/")
		if len(parts) < 2 {
			badRequest(rw, "Invalid filter argument vote")
			return
		}
		chosen = nil
		if d, ok := v.division(parts[len(parts)-2], parts[len(parts)-1]); ok {
			chosen = []division{d}
		}
	} else if !q.Has("politician") { // all there are would be too many to be of use
		chosen = chosen[:min(50, len(chosen))]
	}
	parts := strings.Split(strings.Trim(q.Get("politician"), "/"), "/")
	var all []ballot
	for _, d := range chosen {
		for _, b := range w.ballotsOf(d) {
			if (!q.Has("politician") || b.member.slug == parts[len(parts)-1]) &&
				(!q.Has("ballot") || b.vote == q.Get("ballot")) {
				all = append(all, b)
			}
		}
	}
	page(rw, r, all, 20, ballot.listed)
}

package simulate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Ottawa's offsets, on machines without a time zone database too
)

// Handler serves both sources and the controls under one address:
//
//	/bills/                     openparliament.ca: use the address itself as OPENPARLIAMENT_URL
//	/politicians/               the same
//	/legisinfo/                 LEGISinfo: use the address with /legisinfo as LEGISINFO_URL
//	/control/stats              GET: what was asked
//	/control/reset              POST: forget that
//	/control/clock?as_of=DAY    POST: move the clock
//	/control/faults?500=0.1...  POST: misbehave; see Faults
func (w *World) Handler(f Faults) http.Handler {
	g := newGate(f)
	mux := http.NewServeMux()
	mux.Handle("/bills/", g.wrap("openparliament", true, http.HandlerFunc(w.openParliament)))
	mux.Handle("/politicians/", g.wrap("openparliament", true, http.HandlerFunc(w.politicians)))
	mux.Handle("/legisinfo/", g.wrap("legisinfo", false, http.HandlerFunc(w.legisinfo)))
	mux.HandleFunc("GET /control/stats", func(rw http.ResponseWriter, _ *http.Request) {
		bills, _, current := w.known()
		writeJSON(rw, map[string]any{"as_of": w.Today().Format(time.DateOnly), "bills": len(bills), "session": current, "openparliament": g.snapshot("openparliament"), "legisinfo": g.snapshot("legisinfo")})
	})
	mux.HandleFunc("POST /control/reset", func(rw http.ResponseWriter, _ *http.Request) {
		g.reset()
		writeJSON(rw, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("POST /control/clock", func(rw http.ResponseWriter, r *http.Request) {
		day, err := time.Parse(time.DateOnly, r.URL.Query().Get("as_of"))
		if err != nil {
			http.Error(rw, "as_of: want YYYY-MM-DD", http.StatusBadRequest)
			return
		}
		w.SetDay(day)
		writeJSON(rw, map[string]string{"as_of": day.Format(time.DateOnly)})
	})
	mux.HandleFunc("POST /control/faults", func(rw http.ResponseWriter, r *http.Request) {
		f, err := g.change(r.URL.Query())
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(rw, f)
	})
	return mux
}

func writeJSON(rw http.ResponseWriter, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	e := json.NewEncoder(rw)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the client went away
}

// openParliament serves the list of bills: in no order of time, whatever order is asked for.
func (w *World) openParliament(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/bills/" {
		http.NotFound(rw, r)
		return
	}
	bills, _, _ := w.known()
	query := r.URL.Query()
	for param := range query {
		value := query.Get(param)
		var keep func(*bill) bool
		switch param {
		case "session":
			keep = func(b *bill) bool { return b.session.code() == value }
		case "introduced__gte", "introduced__lte":
			if _, err := time.Parse(time.DateOnly, value); err != nil {
				http.Error(rw, "“"+value+"” is not a date", http.StatusBadRequest)
				return
			}
			keep = func(b *bill) bool {
				d := b.introduced()
				return d != "" && ((param == "introduced__gte" && d >= value) || (param == "introduced__lte" && d <= value))
			}
		default: // order_by among them
			continue
		}
		bills = slices.DeleteFunc(bills, func(b *bill) bool { return !keep(b) })
	}
	limit, offset := 20, 0
	for name, into := range map[string]*int{"limit": &limit, "offset": &offset} {
		if query.Get(name) == "" {
			continue
		}
		n, err := strconv.Atoi(query.Get(name))
		if err != nil || n < 0 {
			http.Error(rw, "Invalid "+name, http.StatusBadRequest)
			return
		}
		*into = n
	}
	limit = max(1, min(limit, 500))
	var next any
	if offset+limit < len(bills) {
		query.Set("limit", strconv.Itoa(limit))
		query.Set("offset", strconv.Itoa(offset+limit))
		next = "/bills/?" + query.Encode()
	}
	objects := []any{}
	for _, b := range bills[min(offset, len(bills)):min(offset+limit, len(bills))] {
		var introduced any
		if d := b.introduced(); d != "" {
			introduced = d
		}
		objects = append(objects, map[string]any{
			"session": b.session.code(), "number": b.code(), "legisinfo_id": b.id, "introduced": introduced,
			"name": map[string]any{"en": b.titleEn, "fr": b.titleFr}, "url": "/bills/" + b.session.code() + "/" + b.code() + "/",
		})
	}
	writeJSON(rw, map[string]any{"objects": objects, "pagination": map[string]any{"limit": limit, "offset": offset, "next_url": next, "previous_url": nil}})
}

var (
	listPath   = regexp.MustCompile(`^/legisinfo/(?:en|fr)/bills/json/?$`)
	detailPath = regexp.MustCompile(`^/legisinfo/(?:en|fr)/bill/(\d+-\d+)/([a-z]-\d+)/json/?$`)
)

func (w *World) legisinfo(rw http.ResponseWriter, r *http.Request) {
	path := strings.ToLower(r.URL.Path)
	bills, end, current := w.known()
	if listPath.MatchString(path) {
		code := r.URL.Query().Get("parlsession")
		if code == "" {
			code = current
		}
		items := []any{}
		for _, b := range bills {
			if code == "all" || b.session.code() == code {
				items = append(items, b.item(end, current))
			}
		}
		writeJSON(rw, items)
		return
	}
	if m := detailPath.FindStringSubmatch(path); m != nil {
		for _, b := range bills {
			if b.session.code() == m[1] && strings.EqualFold(b.code(), m[2]) {
				writeJSON(rw, []any{b.detail(end)})
				return
			}
		}
	}
	http.NotFound(rw, r)
}

var ottawa = func() *time.Location {
	l, err := time.LoadLocation("America/Toronto")
	if err != nil { // tzdata is compiled in
		panic(err)
	}
	return l
}()

// status is LEGISinfo's word for how far the bill has got.
func (b *bill) status(reached []stage) (en, fr string) {
	if b.number == 1 {
		return "Introduced as pro forma bill", "Présenté en tant que projet de loi pro forma"
	}
	private := !b.government && b.prefix == "C"
	switch reached[len(reached)-1].kind {
	case houseFirst:
		if private {
			return "Outside the Order of Precedence", "En dehors de l’ordre de priorité"
		}
		return "At second reading in the House of Commons", "À la deuxième lecture à la Chambre des communes"
	case houseSecond:
		return "At consideration in committee in the House of Commons", "À l'étude en comité à la Chambre des communes"
	case houseThird:
		if b.prefix == "S" {
			return "Awaiting royal assent", "En attente de la sanction royale"
		}
		return "House of Commons bill awaiting first reading in the Senate", "Projet de loi de la Chambre des communes en attente de la première lecture au Sénat"
	case senateFirst:
		return "At second reading in the Senate", "À la deuxième lecture au Sénat"
	case senateSecond:
		return "At consideration in committee in the Senate", "À l'étude en comité au Sénat"
	case senateThird:
		if b.prefix == "S" {
			return "Senate bill awaiting first reading in the House of Commons", "Projet de loi du Sénat en attente de la première lecture à la Chambre des communes"
		}
		return "Awaiting royal assent", "En attente de la sanction royale"
	}
	return "Royal assent received", "Sanction royale reçue"
}

// dates are the stage dates as a record has them: null where the bill has not got, or where nobody wrote them down.
func (b *bill) dates(reached []stage, layout string) map[string]any {
	out := map[string]any{}
	for _, key := range stageKeys {
		out[key] = nil
	}
	for i, s := range reached {
		if i == 0 && b.undated {
			continue
		}
		out[stageKeys[s.kind]] = clock(s.at).Format(layout)
	}
	return out
}

// clock reads a planned time as a clock in Ottawa.
func clock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, ottawa)
}

// publicationNames are the versions of a text, in their order.
var publicationNames = [][2]string{
	{"First Reading", "Première lecture"}, {"As amended by committee", "Modifié par le comité"}, {"As passed by the House of Commons", "Adopté par la Chambre des communes"}, {"As passed by the Senate", "Adopté par le Sénat"}, {"Royal Assent", "Sanction royale"},
}

const bare = "2006-01-02T15:04:05" // without an offset, as LEGISinfo's details have it

func (b *bill) chamber() int {
	if b.prefix == "S" {
		return 2
	}
	return 1
}

// item is the bill in LEGISinfo's list of a session.
func (b *bill) item(end time.Time, current string) map[string]any {
	reached := b.reached(end)
	en, fr := b.status(reached)
	last := reached[len(reached)-1]
	item := b.dates(reached, time.RFC3339)
	for k, v := range map[string]any{
		"BillId": b.id, "BillNumberPrefix": b.prefix, "BillNumber": b.number, "BillNumberFormatted": b.code(), "ParlSessionCode": b.session.code(),
		"ParliamentNumber": b.session.parliament, "SessionNumber": b.session.number, "LongTitleEn": b.titleEn, "LongTitleFr": b.titleFr,
		"ShortTitleEn": b.shortEn, "ShortTitleFr": b.shortFr, "OriginatingChamberId": b.chamber(), "BillTypeEn": b.kindEn, "BillTypeFr": b.kindFr,
		"CurrentStatusEn": en, "CurrentStatusFr": fr, "SponsorId": b.sponsor.id, "SponsorEn": strings.TrimSpace(b.sponsor.honorific + " " + b.sponsor.name()),
		"LatestActivityDateTime": clock(last.at).Format(time.RFC3339), "IsFromCurrentSession": b.session.code() == current, "SearchScore": nil, "Highlight": nil,
	} {
		item[k] = v
	}
	return item
}

// detail is LEGISinfo's own record of the bill.
func (b *bill) detail(end time.Time) map[string]any {
	reached := b.reached(end)
	en, fr := b.status(reached)
	last := reached[len(reached)-1]
	d := b.dates(reached, bare)
	var year, chapter, summaryEn, summaryFr any
	if last.kind == royalAssent {
		year, chapter = last.at.Year(), b.chapter
	}
	if b.summary {
		summaryEn = fmt.Sprintf("<div>This enactment deals with %s.<br /><br />It exists in this simulation only.</div>", b.titleEn)
		summaryFr = fmt.Sprintf("<div>Le texte porte sur ceci : %s.<br /><br />Il n'existe que dans cette simulation.</div>", b.titleFr)
	}
	publications := []any{}
	for i := range reached {
		name := publicationNames[min(i, len(publicationNames)-1)]
		publications = append(publications, map[string]any{"PublicationId": b.id*10 + i, "PublicationTypeId": 80701 + i, "PublicationTypeNameEn": name[0], "PublicationTypeNameFr": name[1]})
	}
	related := []any{}
	for _, id := range b.related {
		var parliament, number int
		_, _ = fmt.Sscanf(id, "%d-1/C-%d", &parliament, &number) // written by describe
		related = append(related, map[string]any{"NumberCode": fmt.Sprintf("C-%d", number), "ParliamentNumber": parliament, "SessionNumber": 1})
	}
	for k, v := range map[string]any{
		"Id": b.id, "NumberCode": b.code(), "NumberPrefix": b.prefix, "Number": b.number, "LongTitleEn": b.titleEn, "LongTitleFr": b.titleFr, "ShortTitleEn": b.shortEn, "ShortTitleFr": b.shortFr,
		"StatusNameEn": en, "StatusNameFr": fr, "ParliamentNumber": b.session.parliament, "SessionNumber": b.session.number, "BillDocumentTypeNameEn": b.kindEn, "BillDocumentTypeNameFr": b.kindFr,
		"IsGovernmentBill": b.government, "OriginatingChamberOrganizationId": b.chamber(), "SponsorPersonId": b.sponsor.id, "SponsorPersonName": b.sponsor.name(),
		"LatestBillEventDateTime": clock(last.at).Format(bare), "ShortLegislativeSummaryEn": summaryEn, "ShortLegislativeSummaryFr": summaryFr,
		"StatuteYear": year, "StatuteChapter": chapter, "Publications": publications, "SimilarBills": related,
		"BillStages": b.course(reached),
	} {
		d[k] = v
	}
	return d
}

// course is the bill's stages in both chambers: those reached, with the committee after second reading, the one it is
// at, and those to come.
func (b *bill) course(reached []stage) map[string]any {
	at := map[int]stage{}
	for _, s := range reached {
		at[s.kind] = s
	}
	chamber := func(first int, c committee) []any {
		list := []any{}
		for i, name := range [][2]string{{"First reading", "Première lecture"}, {"Second reading", "Deuxième lecture"}, {"Third reading", "Troisième lecture"}} {
			s, done := at[first+i]
			stage := map[string]any{"BillStageNameEn": name[0], "BillStageNameFr": name[1], "State": 1, "StateAsOfDate": nil, "Committee": nil, "Sittings": []any{}, "SignificantEvents": []any{}, "Decisions": b.decisions(s, done)}
			if done {
				stage["State"], stage["StateAsOfDate"] = 4, clock(s.at).Format(bare)
				stage["Sittings"] = []any{map[string]any{"NameEn": name[0], "Date": clock(s.at).AddDate(0, 0, -2*i).Format("2006-01-02") + "T00:00:00"}}
			} else if _, before := at[first+i-1]; before && i > 0 {
				stage["State"], stage["StateAsOfDate"] = 3, clock(at[first+i-1].at).Format(bare)
			}
			list = append(list, stage)
			if i != 1 {
				continue
			}
			study := map[string]any{"BillStageNameEn": "Consideration in committee", "BillStageNameFr": "Examen en comité", "State": 1, "StateAsOfDate": nil, "Committee": nil}
			if done {
				study["State"], study["StateAsOfDate"] = 3, clock(s.at).Format(bare)
				study["Committee"] = map[string]any{"CommitteeAcronym": c.acronym, "CommitteeNameEn": c.en, "CommitteeNameFr": c.fr}
			}
			if third, over := at[first+2]; over {
				study["State"], study["StateAsOfDate"] = 4, clock(third.at).Format(bare)
			}
			list = append(list, study)
		}
		return list
	}
	course := map[string]any{"HouseBillStages": chamber(houseFirst, b.committee), "SenateBillStages": chamber(senateFirst, b.senate), "RoyalAssent": nil}
	if s, done := at[royalAssent]; done {
		course["RoyalAssent"] = map[string]any{"BillStageNameEn": "Royal assent", "BillStageNameFr": "Sanction royale", "State": 0, "Sittings": map[string]any{}, "LastStageEventStartDateTime": clock(s.at).Format(bare)}
	}
	return course
}

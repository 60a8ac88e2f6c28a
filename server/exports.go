package server

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"github.com/parquet-go/parquet-go"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// exportRow is a bill as a row of CSV and Parquet. A pointer marks a column without a value in some rows: NULL in
// Parquet, an empty cell in CSV. The tag parquet has the column's name and its type in Parquet, doc describes it, and
// ndjson points to the same value in a line of NDJSON. Tags cannot be broken, so some lines exceed 120 columns.
type exportRow struct {
	ID                string     `parquet:"id" ndjson:"/id" doc:"Session and number, e.g. 44-1/C-11." fr:"Session et numéro, p. ex. 44-1/C-11."`
	Parliament        int32      `parquet:"parliament" ndjson:"/parliament" doc:"The Parliament, e.g. 44." fr:"La législature, p. ex. 44."`
	Session           int32      `parquet:"session" ndjson:"/session" doc:"Its session, e.g. 1." fr:"Sa session, p. ex. 1."`
	Number            string     `parquet:"number" ndjson:"/number" doc:"E.g. C-11." fr:"P. ex. C-11."`
	TitleEn           *string    `parquet:"title_en" ndjson:"/title/en" doc:"Long title in English." fr:"Titre intégral en anglais."`
	TitleFr           *string    `parquet:"title_fr" ndjson:"/title/fr" doc:"Long title in French." fr:"Titre intégral en français."`
	ShortTitleEn      *string    `parquet:"short_title_en" ndjson:"/short_title/en" doc:"Short title in English; many bills have none." fr:"Titre abrégé en anglais; bien des projets de loi n’en ont pas."`
	ShortTitleFr      *string    `parquet:"short_title_fr" ndjson:"/short_title/fr" doc:"Short title in French; many bills have none." fr:"Titre abrégé en français; bien des projets de loi n’en ont pas."`
	HomeChamber       string     `parquet:"home_chamber" ndjson:"/home_chamber" doc:"Where it began: house or senate." fr:"Chambre d’origine : house ou senate."`
	BillTypeEn        *string    `parquet:"bill_type_en" ndjson:"/bill_type/en" doc:"E.g. House Government Bill." fr:"P. ex. House Government Bill."`
	GovernmentBill    bool       `parquet:"government_bill" ndjson:"/government_bill" doc:"Whether it is the government's." fr:"Indique s’il vient du gouvernement."`
	PrivateMemberBill bool       `parquet:"private_member_bill" ndjson:"/private_member_bill" doc:"Whether it is a private member's." fr:"Indique s’il vient d’un député ou d’un sénateur."`
	IntroducedOn      *day       `parquet:"introduced_on,date" ndjson:"/introduced_on" doc:"Day of the earlier first reading; none if neither is dated." fr:"Jour de la plus ancienne des premières lectures; vide si aucune n’est datée."`
	StatusCode        *string    `parquet:"status_code" ndjson:"/status/code" doc:"openparliament.ca's code for the status; none where it has none." fr:"Code d’état d’openparliament.ca; vide s’il n’en donne pas."`
	StatusEn          *string    `parquet:"status_en" ndjson:"/status/en" doc:"LEGISinfo's words for the status." fr:"État selon LEGISinfo, en anglais."`
	StatusFr          *string    `parquet:"status_fr" ndjson:"/status/fr" doc:"The same in French." fr:"La même chose en français."`
	LatestActivityAt  *time.Time `parquet:"latest_activity_at,timestamp(microsecond)" ndjson:"/latest_activity_at" doc:"When something last happened to it. CSV and NDJSON have it in Ottawa's time, with the offset; Parquet has the same instant in UTC." fr:"Moment du dernier événement. En CSV et en NDJSON, à l’heure d’Ottawa avec le décalage; en Parquet, le même instant en UTC."`
	Law               bool       `parquet:"law" ndjson:"/law" doc:"Whether it received royal assent." fr:"Indique s’il a reçu la sanction royale."`
	RoyalAssentOn     *day       `parquet:"royal_assent_on,date" ndjson:"/royal_assent_on" doc:"The day of royal assent; none before." fr:"Jour de la sanction royale; vide avant."`
	StatuteYear       *int32     `parquet:"statute_year" ndjson:"/statute/year" doc:"Year of the Statutes of Canada; none if it has no chapter there." fr:"Année des Lois du Canada; vide s’il n’y a pas de chapitre."`
	StatuteChapter    *int32     `parquet:"statute_chapter" ndjson:"/statute/chapter" doc:"Chapter of that year; none if it has none." fr:"Chapitre de cette année; vide s’il n’en a pas."`
	SponsorPersonID   *int64     `parquet:"sponsor_person_id" ndjson:"/sponsor/person_id" doc:"parl.ca's id of the sponsor; none if it is not known." fr:"Identifiant du parrain à parl.ca; vide s’il n’est pas connu."`
	SponsorName       *string    `parquet:"sponsor_name" ndjson:"/sponsor/name" doc:"The sponsor's name; none if it is not known." fr:"Nom du parrain; vide s’il n’est pas connu."`
	SponsorPolitician *string    `parquet:"sponsor_politician" ndjson:"/sponsor/politician" doc:"The sponsor's slug at openparliament.ca; none if it is not known." fr:"Adresse du parrain à openparliament.ca; vide si elle n’est pas connue."`
	Committees        *string    `parquet:"committees" ndjson:"/committees" doc:"Acronyms of the committees that considered it, separated by semicolons; none if none did. NDJSON has the committees themselves." fr:"Sigles des comités qui l’ont étudié, séparés par des points-virgules; vide s’il n’y en a pas. NDJSON contient les comités eux-mêmes."`
	LegisinfoID       *int64     `parquet:"legisinfo_id" ndjson:"/legisinfo_id" doc:"LEGISinfo's id; none if it is not known." fr:"Identifiant LEGISinfo; vide s’il n’est pas connu."`
	LegisinfoURL      *string    `parquet:"legisinfo_url" ndjson:"/legisinfo_url" doc:"Its page at LEGISinfo." fr:"Sa page à LEGISinfo."`
	OpenParliamentURL *string    `parquet:"openparliament_url" ndjson:"/openparliament_url" doc:"Its page at openparliament.ca; none if it has none." fr:"Sa page à openparliament.ca; vide s’il n’y en a pas."`
	TextURL           *string    `parquet:"text_url" ndjson:"/text_url" doc:"Its latest published text; none if none is known." fr:"Son dernier texte publié; vide si aucun n’est connu."`
	Version           int32      `parquet:"version" ndjson:"/version" doc:"1, and one more for each change seen." fr:"1, plus un pour chaque changement observé."`
	UpdatedAt         time.Time  `parquet:"updated_at,timestamp(microsecond)" ndjson:"/updated_at" doc:"When that version was made, in UTC." fr:"Moment de cette version, en UTC."`
	MissingSince      *time.Time `parquet:"missing_since,timestamp(microsecond)" ndjson:"/missing_since" doc:"Since when neither source lists it, in UTC; none while one does." fr:"Depuis quand aucune source ne le donne, en UTC; vide tant qu’une le donne."`
}

// day is a date as Parquet stores it: days since 1970-01-01.
type day int32

func (d day) String() string { return time.Unix(int64(d)*secondsPerDay, 0).UTC().Format(time.DateOnly) }

const secondsPerDay = 24 * 60 * 60

func exportRowOf(b parliament.StoredBill) exportRow {
	r := exportRow{
		Parliament: int32(b.Parliament), Session: int32(b.Session), //nolint:gosec // small numbers
		ID: b.ID, Number: b.Number, TitleEn: textOrNone(b.Title.En), TitleFr: textOrNone(b.Title.Fr),
		ShortTitleEn: textOrNone(b.ShortTitle.En), ShortTitleFr: textOrNone(b.ShortTitle.Fr),
		HomeChamber: b.HomeChamber, BillTypeEn: textOrNone(b.BillType.En),
		GovernmentBill: b.GovernmentBill, PrivateMemberBill: b.PrivateMemberBill,
		IntroducedOn: dayOrNone(b.IntroducedOn),
		StatusCode:   textOrNone(b.Status.Code), StatusEn: textOrNone(b.Status.En), StatusFr: textOrNone(b.Status.Fr),
		LatestActivityAt: instantOrNone(b.LatestActivityAt),
		Law:              b.Law, RoyalAssentOn: dayOrNone(b.RoyalAssentOn), LegisinfoURL: textOrNone(b.LegisinfoURL),
		OpenParliamentURL: textOrNone(b.OpenParliamentURL), TextURL: textOrNone(b.TextURL),
		LegisinfoID: idOrNone(b.LegisinfoID), UpdatedAt: b.UpdatedAt.UTC(),
		Version: int32(b.Version), //nolint:gosec // a small number
	}
	if b.Statute != nil {
		r.StatuteYear, r.StatuteChapter = numberOrNone(b.Statute.Year), numberOrNone(b.Statute.Chapter)
	}
	if s := b.Sponsor; s != nil {
		r.SponsorPersonID, r.SponsorName = idOrNone(s.PersonID), textOrNone(s.Name)
		r.SponsorPolitician = textOrNone(s.Politician)
	}
	var committees []string
	for _, c := range b.Committees {
		if c.Acronym != "" {
			committees = append(committees, c.Acronym)
		}
	}
	all := strings.Join(committees, ";")
	r.Committees = textOrNone(&all)
	if b.MissingSince != nil {
		since := b.MissingSince.UTC()
		r.MissingSince = &since
	}
	return r
}

// The ...OrNone functions return the value of a column: nil for a value that means none (an empty text, 0, the year 1),
// and for one that the column's type cannot hold. One bad value loses neither the row nor the export.

func textOrNone(s *string) *string {
	if deref(s) == "" {
		return nil
	}
	return s
}

func numberOrNone(n int) *int32 {
	if n <= 0 || n > math.MaxInt32 { // the source parser refuses larger ones: see legisinfo.ParseDetail
		return nil
	}
	small := int32(n)
	return &small
}

func idOrNone(n *int) *int64 {
	if deref(n) <= 0 {
		return nil
	}
	wide := int64(*n)
	return &wide
}

func dayOrNone(s *string) *day {
	t, err := time.Parse(time.DateOnly, deref(s))
	if err != nil || t.Year() <= 1 { // the layout allows years of four digits only
		return nil
	}
	// The time is midnight in UTC, so the division is exact.
	d := day(t.Unix() / secondsPerDay) //nolint:gosec // a year of four digits
	return &d
}

func instantOrNone(s *string) *time.Time {
	t, err := time.Parse(time.RFC3339Nano, deref(s))
	if err != nil || t.Year() <= 1 {
		return nil
	}
	return &t
}

// sourceTerms are the terms of use of the sources.
var sourceTerms = []api.SourceTerms{
	terms("Parliament of Canada (LEGISinfo)", "https://www.ourcommons.ca/en/important-notices",
		"Reproduced under the Speaker's permission: free of charge, in any medium, provided that the "+
			"reproduction is accurate and is not presented as official. Neither the House of Commons nor its Speaker "+
			"endorses it.",
		"Reproduit avec la permission du Président\u00a0: gratuitement, sur tout support, à condition que la reproduction "+
			"soit exacte et ne soit pas présentée comme officielle. Ni la Chambre des communes ni son Président ne "+
			"l’approuvent."),
	terms("openparliament.ca", "https://openparliament.ca/api/",
		"Free to use; name openparliament.ca as the source and link to it.",
		"Utilisation libre; nommez openparliament.ca comme source et établissez un lien vers ce site."),
}

func terms(source, url, english, french string) api.SourceTerms {
	return api.SourceTerms{Source: source, URL: url, Terms: english, TermsI18N: described(english, french)}
}

func (h *handlers) ListExports(
	ctx context.Context, _ api.ListExportsRequestObject,
) (api.ListExportsResponseObject, error) {
	n, err := h.cfg.Store.CountBills(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListExports200JSONResponse{
		Items: []api.Export{
			{
				Name: "bills", Formats: []api.ExportFormats{api.Csv, api.Ndjson, api.Parquet}, Rows: n,
				Fields: exportFields(), Terms: sourceTerms,
			},
		},
	}, nil
}

func (h *handlers) GetExport(ctx context.Context, req api.GetExportRequestObject) (api.GetExportResponseObject, error) {
	name, form := cutLast(req.Export, ".")
	if name != "bills" || exportTypes[form] == "" {
		return nil, invalidField(
			"/path/export", "%q is not an export: want bills.csv, bills.ndjson or bills.parquet", req.Export,
		)
	}
	p := req.Params
	f, err := billFilter(parliament.BillFilter{
		Status: deref(p.Status), Law: p.Law, Q: deref(p.Q), Type: deref(p.Type), Chamber: deref(p.Chamber),
		Year: deref(p.Year), Committee: deref(p.Committee), Sponsor: deref(p.Sponsor),
		UpdatedSince: deref(p.UpdatedSince),
	}, p.Session)
	if err != nil {
		return nil, err
	}
	bom := deref(req.Params.Bom)
	if bom && form != "csv" {
		return nil, invalidField("/query/bom", "is for bills.csv alone")
	}
	// The state is read before the bills, so the bills that are sent under its ETag are never older than it.
	state, err := h.cfg.Store.ExportState(ctx, f, form == "ndjson")
	if err != nil {
		return nil, filterProblem(err)
	}
	tag := tagOf(
		fmt.Appendf(nil, "%s %s %s %t %v %+v", state, h.cfg.Version, h.cfg.Revision, bom, req.Export, exportFields()),
	)
	if matches(req.Params.IfNoneMatch, tag) {
		return unchanged(tag), nil
	}
	return &export{ctx: ctx, store: h.cfg.Store, filter: f, form: form, bom: bom, tag: tag}, nil
}

var exportTypes = map[string]string{
	"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet",
}

// export is an answer that sends bills as they are read.
type export struct {
	ctx    context.Context //nolint:containedctx // of the request that it answers
	store  *parliament.Store
	filter parliament.BillFilter
	form   string
	bom    bool // the file begins with a byte order mark
	tag    string
}

// exportPage is how many bills are in memory at once.
const exportPage = 200

// VisitGetExportResponse implements the response of the operation.
func (e *export) VisitGetExportResponse(w http.ResponseWriter) error {
	// The first page is read before the answer begins, so that an error can still be answered.
	var bills []parliament.StoredBill
	if !isHead(e.ctx) {
		var err error
		if bills, err = e.page(""); err != nil {
			return filterProblem(err)
		}
	}
	revalidate(w.Header(), e.tag)
	w.Header().Set(echo.HeaderContentType, exportTypes[e.form])
	w.Header().Set("Content-Disposition", `attachment; filename="bills.`+e.form+`"`)
	w.Header().Add("Link", `<`+sourceTerms[0].URL+`>; rel="license"`)
	w.WriteHeader(http.StatusOK)
	if isHead(e.ctx) {
		return nil
	}
	if err := e.send(w, bills); err != nil {
		panic(http.ErrAbortHandler) // the file is cut off, and must not look whole
	}
	return nil
}

// page returns the bills after the given one. If the replica fails, it reads the page again from the primary: mayLag
// retries whole requests only, and has returned by then.
func (e *export) page(after string) ([]parliament.StoredBill, error) {
	failedBefore := db.ReplicaFailed(e.ctx)
	bills, err := e.store.Export(e.ctx, e.filter, after, exportPage)
	if err != nil && !failedBefore && db.ReplicaFailed(e.ctx) {
		bills, err = e.store.Export(e.ctx, e.filter, after, exportPage)
	}
	return bills, err
}

// send writes the given bills and all later ones, each page as soon as it has been read.
func (e *export) send(w http.ResponseWriter, bills []parliament.StoredBill) (err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	if e.bom {
		_, _ = out.Write(byteOrderMark) // Flush returns the error
	}
	write, finish := e.writer(out)
	control := http.NewResponseController(w)
	for len(bills) > 0 {
		for _, b := range bills {
			if err := write(b); err != nil {
				return err
			}
		}
		if len(bills) < exportPage {
			break
		}
		if err := out.Flush(); err != nil {
			return err
		}
		_ = control.Flush() // not every writer can flush
		if bills, err = e.page(bills[len(bills)-1].ID); err != nil {
			return err
		}
	}
	if err := finish(); err != nil {
		return err
	}
	return out.Flush()
}

func (e *export) writer(out *bufio.Writer) (write func(parliament.StoredBill) error, finish func() error) {
	switch e.form {
	case "csv":
		c := csv.NewWriter(out)
		header := each(exportFields(), func(f api.ExportField) string { return f.Name })
		_ = c.Write(header) // Flush returns the error
		return func(b parliament.StoredBill) error {
			return c.Write(csvCells(exportRowOf(b)))
		}, func() error { c.Flush(); return c.Error() }
	case "ndjson":
		enc := json.NewEncoder(out)
		return func(b parliament.StoredBill) error { return enc.Encode(apiBill(b)) }, func() error { return nil }
	}
	p := parquet.NewGenericWriter[exportRow](
		out, parquet.Compression(&parquet.Snappy),
		parquet.KeyValueMetadata("terms", sourceTerms[0].Terms+" "+sourceTerms[1].Terms),
	)
	n := 0
	return func(b parliament.StoredBill) error {
		if _, err := p.Write([]exportRow{exportRowOf(b)}); err != nil {
			return err
		}
		if n++; n%2000 == 0 {
			return p.Flush() // ends a row group
		}
		return nil
	}, p.Close
}

// exportFields describes the columns. The Parquet types come from the schema that the files are written with.
var exportFields = sync.OnceValue(func() []api.ExportField {
	schema := parquet.SchemaOf(exportRow{})
	var out []api.ExportField
	for f := range reflect.TypeFor[exportRow]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		column, _ := schema.Lookup(name)
		of := f.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		kind, cell := api.Integer, "Digits."
		switch {
		case of == reflect.TypeFor[day]():
			kind, cell = api.Date, "YYYY-MM-DD."
		case of == reflect.TypeFor[time.Time]():
			kind, cell = api.Timestamp, "RFC 3339 with the offset."
		case of.Kind() == reflect.Bool:
			kind, cell = api.Boolean, "true or false."
		case of.Kind() == reflect.String:
			kind, cell = api.String, "Text; one that a spreadsheet would take for a formula begins with an apostrophe."
		}
		if column.Node.Optional() {
			cell += " Empty if there is none."
		}
		out = append(out, api.ExportField{
			Name: name, Type: kind, Description: f.Tag.Get("doc"),
			DescriptionI18N: described(f.Tag.Get("doc"), f.Tag.Get("fr")), Nullable: column.Node.Optional(),
			Csv: cell, Ndjson: f.Tag.Get("ndjson"), Parquet: parquetType(column.Node),
		})
	}
	return out
})

// parquetType returns a column's type in the terms of the Parquet format: the physical type, then the logical one.
func parquetType(n parquet.Node) string {
	physical, _, _ := strings.Cut(n.Type().Kind().String(), "(")
	logical := n.Type().LogicalType()
	if logical == nil {
		return physical
	}
	return physical + " " + logical.String()
}

// formulas are the characters, of normal and of full width, with which a formula begins in spreadsheets.
const formulas = "=+-@\t\r\n＝＋－＠"

// csvCells returns the cells of a row. The cell of a missing value is empty. A text that a spreadsheet would read as a
// formula is marked as text.
func csvCells(r exportRow) []string {
	v := reflect.ValueOf(r)
	out := make([]string, v.NumField())
	for i := range out {
		f := v.Field(i)
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		}
		switch value := f.Interface().(type) {
		case bool:
			out[i] = strconv.FormatBool(value)
		case day:
			out[i] = value.String()
		case time.Time:
			out[i] = value.Format(time.RFC3339Nano)
		case string:
			if first, _ := utf8.DecodeRuneInString(value); strings.ContainsRune(formulas, first) {
				value = "'" + value
			}
			out[i] = value
		default:
			out[i] = strconv.FormatInt(f.Int(), 10)
		}
	}
	return out
}

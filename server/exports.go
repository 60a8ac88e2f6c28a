package server

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/parquet-go/parquet-go"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// exportRow is a bill as a row of CSV and Parquet. The tags are the names of the columns; doc is what they say.
type exportRow struct {
	ID                string `parquet:"id" doc:"Session and number, e.g. 44-1/C-11."`
	Parliament        int32  `parquet:"parliament" doc:"The Parliament, e.g. 44."`
	Session           int32  `parquet:"session" doc:"Its session, e.g. 1."`
	Number            string `parquet:"number" doc:"E.g. C-11."`
	TitleEn           string `parquet:"title_en" doc:"Long title in English."`
	TitleFr           string `parquet:"title_fr" doc:"Long title in French."`
	ShortTitleEn      string `parquet:"short_title_en" doc:"Short title in English; empty if there is none."`
	ShortTitleFr      string `parquet:"short_title_fr" doc:"Short title in French."`
	HomeChamber       string `parquet:"home_chamber" doc:"Where it began: house or senate."`
	BillTypeEn        string `parquet:"bill_type_en" doc:"E.g. House Government Bill."`
	GovernmentBill    bool   `parquet:"government_bill" doc:"Whether it is the government's."`
	PrivateMemberBill bool   `parquet:"private_member_bill" doc:"Whether it is a private member's."`
	IntroducedOn      string `parquet:"introduced_on" type:"date" doc:"Day of the earlier first reading, YYYY-MM-DD; empty if neither is dated."`
	StatusCode        string `parquet:"status_code" doc:"openparliament.ca's code; empty where it has none."`
	StatusEn          string `parquet:"status_en" doc:"LEGISinfo's words."`
	StatusFr          string `parquet:"status_fr" doc:"The same in French."`
	LatestActivityAt  string `parquet:"latest_activity_at" type:"timestamp" doc:"RFC 3339, in Ottawa's time."`
	Law               bool   `parquet:"law" doc:"Whether it received royal assent."`
	RoyalAssentOn     string `parquet:"royal_assent_on" type:"date" doc:"The day of it."`
	StatuteYear       int32  `parquet:"statute_year" doc:"Year of the Statutes of Canada; 0 if it has no chapter there."`
	StatuteChapter    int32  `parquet:"statute_chapter" doc:"Chapter of that year."`
	SponsorPersonID   int64  `parquet:"sponsor_person_id" doc:"parl.ca's id of the sponsor; 0 if it is not known."`
	SponsorName       string `parquet:"sponsor_name" doc:"The sponsor's name."`
	SponsorPolitician string `parquet:"sponsor_politician" doc:"The sponsor's slug at openparliament.ca."`
	Committees        string `parquet:"committees" doc:"Acronyms, separated by semicolons."`
	LegisinfoID       int64  `parquet:"legisinfo_id" doc:"LEGISinfo's id; 0 if it is not known."`
	LegisinfoURL      string `parquet:"legisinfo_url" doc:"Its page at LEGISinfo."`
	OpenParliamentURL string `parquet:"openparliament_url" doc:"Its page at openparliament.ca."`
	TextURL           string `parquet:"text_url" doc:"Its latest published text."`
	Version           int32  `parquet:"version" doc:"1, and one more for each change seen."`
	UpdatedAt         string `parquet:"updated_at" type:"timestamp" doc:"When that version was made, RFC 3339, UTC."`
	MissingSince      string `parquet:"missing_since" type:"timestamp" doc:"Since when neither source lists it; empty while one does."`
}

func exportRowOf(b parliament.StoredBill) exportRow {
	r := exportRow{
		ID: b.ID, Parliament: int32(b.Parliament), Session: int32(b.Session), Number: b.Number, TitleEn: deref(b.Title.En), TitleFr: deref(b.Title.Fr), ShortTitleEn: deref(b.ShortTitle.En), ShortTitleFr: deref(b.ShortTitle.Fr), //nolint:gosec // small numbers
		HomeChamber: b.HomeChamber, BillTypeEn: deref(b.BillType.En), GovernmentBill: b.GovernmentBill, PrivateMemberBill: b.PrivateMemberBill, IntroducedOn: deref(b.IntroducedOn),
		StatusCode: deref(b.Status.Code), StatusEn: deref(b.Status.En), StatusFr: deref(b.Status.Fr), LatestActivityAt: deref(b.LatestActivityAt), Law: b.Law, RoyalAssentOn: deref(b.RoyalAssentOn),
		LegisinfoID: int64(deref(b.LegisinfoID)), LegisinfoURL: deref(b.LegisinfoURL), OpenParliamentURL: deref(b.OpenParliamentURL), TextURL: deref(b.TextURL), Version: int32(b.Version), UpdatedAt: b.UpdatedAt.UTC().Format(time.RFC3339Nano), //nolint:gosec // a small number
	}
	if b.Statute != nil {
		r.StatuteYear, r.StatuteChapter = int32(b.Statute.Year), int32(b.Statute.Chapter) //nolint:gosec // small numbers
	}
	if s := b.Sponsor; s != nil {
		r.SponsorPersonID, r.SponsorName, r.SponsorPolitician = int64(deref(s.PersonID)), deref(s.Name), deref(s.Politician)
	}
	var committees []string
	for _, c := range b.Committees {
		if c.Acronym != "" {
			committees = append(committees, c.Acronym)
		}
	}
	r.Committees = strings.Join(committees, ";")
	if b.MissingSince != nil {
		r.MissingSince = b.MissingSince.UTC().Format(time.RFC3339)
	}
	return r
}

// sourceTerms are under which the sources give their data.
var sourceTerms = []api.SourceTerms{
	{Source: "Parliament of Canada (LEGISinfo)", URL: "https://www.ourcommons.ca/en/important-notices", Terms: "Reproduced under the Speaker's permission: free of charge, in any medium, provided that the reproduction is accurate and is not presented as official. Neither the House of Commons nor its Speaker endorses it."},
	{Source: "openparliament.ca", URL: "https://openparliament.ca/api/", Terms: "Free to use; name openparliament.ca as the source and link to it."},
}

func (h *handlers) ListExports(ctx context.Context, _ api.ListExportsRequestObject) (api.ListExportsResponseObject, error) {
	n, err := h.cfg.Store.CountBills(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListExports200JSONResponse{Items: []api.Export{{Name: "bills", Formats: []api.ExportFormats{api.Csv, api.Ndjson, api.Parquet}, Rows: n, Fields: exportFields(), Terms: sourceTerms}}}, nil
}

func (h *handlers) GetExport(ctx context.Context, req api.GetExportRequestObject) (api.GetExportResponseObject, error) {
	name, form := cutLast(req.Export, ".")
	if name != "bills" || exportTypes[form] == "" {
		return nil, invalidField("/path/export", "%q is not an export: want bills.csv, bills.ndjson or bills.parquet", req.Export)
	}
	f := parliament.BillFilter{Status: deref(req.Params.Status), Law: req.Params.Law}
	if p := req.Params.Session; p != nil {
		var err error
		if f.Parliament, f.Session, err = parliament.ParseSession(*p); err != nil {
			return nil, invalidField("/query/session", "%q is not a session: want one such as 44-1", *p)
		}
	}
	return &export{ctx: ctx, store: h.cfg.Store, filter: f, form: form}, nil
}

var exportTypes = map[string]string{"csv": "text/csv", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}

// export sends bills as they are read.
type export struct {
	ctx    context.Context //nolint:containedctx // of the request that it answers
	store  *parliament.Store
	filter parliament.BillFilter
	form   string
}

// exportPage is how many bills are in memory at once.
const exportPage = 200

// VisitGetExportResponse implements the response of the operation.
func (e *export) VisitGetExportResponse(w http.ResponseWriter) error {
	// The first page comes before the answer begins, so that what is wrong can still be said.
	bills, err := e.store.Export(e.ctx, e.filter, "", exportPage)
	if err != nil {
		return err
	}
	w.Header().Set(echo.HeaderContentType, exportTypes[e.form])
	w.Header().Set("Content-Disposition", `attachment; filename="bills.`+e.form+`"`)
	w.Header().Add("Link", `<`+sourceTerms[0].URL+`>; rel="license"`)
	w.WriteHeader(http.StatusOK)
	if err := e.send(w, bills); err != nil {
		panic(http.ErrAbortHandler) // the file is cut off, and must not look whole
	}
	return nil
}

// send writes bills, and those that follow them.
func (e *export) send(w io.Writer, bills []parliament.StoredBill) (err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	write, finish := e.writer(out)
	for len(bills) > 0 {
		for _, b := range bills {
			if err := write(b); err != nil {
				return err
			}
		}
		if len(bills) < exportPage {
			break
		}
		if bills, err = e.store.Export(e.ctx, e.filter, bills[len(bills)-1].ID, exportPage); err != nil {
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
		_ = c.Write(header) // it says so when it is flushed
		return func(b parliament.StoredBill) error { return c.Write(csvCells(exportRowOf(b))) }, func() error { c.Flush(); return c.Error() }
	case "ndjson":
		enc := json.NewEncoder(out)
		return func(b parliament.StoredBill) error { return enc.Encode(apiBill(b)) }, func() error { return nil }
	}
	p := parquet.NewGenericWriter[exportRow](out, parquet.Compression(&parquet.Snappy), parquet.KeyValueMetadata("terms", sourceTerms[0].Terms+" "+sourceTerms[1].Terms))
	n := 0
	return func(b parliament.StoredBill) error {
		if _, err := p.Write([]exportRow{exportRowOf(b)}); err != nil {
			return err
		}
		if n++; n%2000 == 0 {
			return p.Flush() // a row group
		}
		return nil
	}, p.Close
}

// exportFields describes the columns.
func exportFields() []api.ExportField {
	var out []api.ExportField
	for f := range reflect.TypeFor[exportRow]().Fields() {
		kind := api.ExportFieldType(f.Tag.Get("type"))
		if kind == "" {
			kind = map[reflect.Kind]api.ExportFieldType{reflect.String: "string", reflect.Bool: "boolean", reflect.Int32: "integer", reflect.Int64: "integer"}[f.Type.Kind()]
		}
		out = append(out, api.ExportField{Name: f.Tag.Get("parquet"), Type: kind, Description: f.Tag.Get("doc")})
	}
	return out
}

// csvCells are a row's cells. A text that a spreadsheet would take for a formula is marked as text.
func csvCells(r exportRow) []string {
	v := reflect.ValueOf(r)
	out := make([]string, v.NumField())
	for i := range out {
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			out[i] = strconv.FormatBool(f.Bool())
		case reflect.Int32, reflect.Int64:
			out[i] = strconv.FormatInt(f.Int(), 10)
		default:
			if out[i] = f.String(); out[i] != "" && strings.ContainsRune("=+-@\t\r", rune(out[i][0])) {
				out[i] = "'" + out[i]
			}
		}
	}
	return out
}

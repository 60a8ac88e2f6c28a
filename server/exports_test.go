package server_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// exportColumns are the columns of exports: that none is lost, renamed or moved, and what each is.
var exportColumns = []struct {
	name, kind, parquet, ndjson string
	nullable                    bool
}{
	{"id", "string", "BYTE_ARRAY STRING", "/id", false},
	{"parliament", "integer", "INT32 INT(32,true)", "/parliament", false},
	{"session", "integer", "INT32 INT(32,true)", "/session", false},
	{"number", "string", "BYTE_ARRAY STRING", "/number", false},
	{"title_en", "string", "BYTE_ARRAY STRING", "/title/en", true},
	{"title_fr", "string", "BYTE_ARRAY STRING", "/title/fr", true},
	{"short_title_en", "string", "BYTE_ARRAY STRING", "/short_title/en", true},
	{"short_title_fr", "string", "BYTE_ARRAY STRING", "/short_title/fr", true},
	{"home_chamber", "string", "BYTE_ARRAY STRING", "/home_chamber", false},
	{"bill_type_en", "string", "BYTE_ARRAY STRING", "/bill_type/en", true},
	{"government_bill", "boolean", "BOOLEAN", "/government_bill", false},
	{"private_member_bill", "boolean", "BOOLEAN", "/private_member_bill", false},
	{"introduced_on", "date", "INT32 DATE", "/introduced_on", true},
	{"status_code", "string", "BYTE_ARRAY STRING", "/status/code", true},
	{"status_en", "string", "BYTE_ARRAY STRING", "/status/en", true},
	{"status_fr", "string", "BYTE_ARRAY STRING", "/status/fr", true},
	{"latest_activity_at", "timestamp", "INT64 TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)", "/latest_activity_at", true},
	{"law", "boolean", "BOOLEAN", "/law", false},
	{"royal_assent_on", "date", "INT32 DATE", "/royal_assent_on", true},
	{"statute_year", "integer", "INT32 INT(32,true)", "/statute/year", true},
	{"statute_chapter", "integer", "INT32 INT(32,true)", "/statute/chapter", true},
	{"sponsor_person_id", "integer", "INT64 INT(64,true)", "/sponsor/person_id", true},
	{"sponsor_name", "string", "BYTE_ARRAY STRING", "/sponsor/name", true},
	{"sponsor_politician", "string", "BYTE_ARRAY STRING", "/sponsor/politician", true},
	{"committees", "string", "BYTE_ARRAY STRING", "/committees", true},
	{"legisinfo_id", "integer", "INT64 INT(64,true)", "/legisinfo_id", true},
	{"legisinfo_url", "string", "BYTE_ARRAY STRING", "/legisinfo_url", true},
	{"openparliament_url", "string", "BYTE_ARRAY STRING", "/openparliament_url", true},
	{"text_url", "string", "BYTE_ARRAY STRING", "/text_url", true},
	{"version", "integer", "INT32 INT(32,true)", "/version", false},
	{"updated_at", "timestamp", "INT64 TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)", "/updated_at", false},
	{"missing_since", "timestamp", "INT64 TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)", "/missing_since", true},
}

// saveExtremes stores a bill that has everything, one that has nothing, and one whose values cannot be read.
func saveExtremes(s *site) {
	s.t.Helper()
	save := func(number string, item legisinfo.Item, detail *legisinfo.Detail) parliament.Record {
		id, err := parliament.ParseBillID("44-1", number)
		if err != nil {
			s.t.Fatal(err)
		}
		item.Session, item.Number, item.Hash = "44-1", number, number
		if detail != nil {
			detail.ItemHash, detail.Reader = item.Hash, legisinfo.Reader
		}
		return parliament.Record{
			ID: id, FetchedAt: time.Now(), SourceRecords: parliament.SourceRecords{Item: &item, Detail: detail},
		}
	}
	records := []parliament.Record{
		save("C-1", legisinfo.Item{
			ID: 11528728, LongTitleEn: "An Act", LongTitleFr: "Loi", ShortTitleEn: "Act", ShortTitleFr: "La loi",
			StatusEn: "Royal assent received", StatusFr: "Sanction royale reçue", TypeEn: "House Government Bill",
			HouseFirst: "1969-12-31", RoyalAssent: "2023-04-27", SponsorID: 7, SponsorName: "Hon. Ada Byron",
			LatestActivity: "2023-04-27T14:00:00.25-04:00",
		}, &legisinfo.Detail{StatuteYear: 2023, Statute: 8, TextID: 5, Committees: []legisinfo.Committee{
			{Acronym: "CHPC", Chamber: "house", NameEn: "Heritage"},
			{Acronym: "TRCM", Chamber: "senate", NameEn: "Transport"},
		}}),
		save("C-2", legisinfo.Item{}, nil),
		save(
			"C-3", legisinfo.Item{ID: -1, LongTitleEn: "Bad values", SponsorID: -1},
			&legisinfo.Detail{StatuteYear: 1 << 40, Statute: 9},
		),
		save("C-4", legisinfo.Item{LongTitleEn: "Year 1", HouseFirst: "0001-01-01", RoyalAssent: "0001-01-01",
			LatestActivity: "0001-01-01T00:00:00-05:00"}, nil),
	}
	if _, err := s.store.Save(s.t.Context(), uuid.UUID{1}, records); err != nil {
		s.t.Fatal(err)
	}
	// Merging and saving let no such date in now; what is stored may be from before.
	if _, err := s.db.Pool.Exec(s.t.Context(), `UPDATE bills
		SET doc = doc || '{"introduced_on": "2022-02-30", "royal_assent_on": "soon", "latest_activity_at": "yesterday"}'
		WHERE id = '44-1/C-3'`); err != nil {
		s.t.Fatal(err)
	}
	s.savePolitician("ada-byron", 7)
}

func TestExportFields(t *testing.T) {
	t.Parallel()
	s := setup(t)
	fields := decode[api.ExportList](t, s.do("GET", "/exports", ""), 200).Items[0].Fields
	if len(fields) != len(exportColumns) {
		t.Fatalf("%d fields, want %d", len(fields), len(exportColumns))
	}
	for i, want := range exportColumns {
		f := fields[i]
		if f.Name != want.name || string(f.Type) != want.kind || f.Parquet != want.parquet || f.Ndjson != want.ndjson ||
			f.Nullable != want.nullable {
			t.Errorf("column %d is %+v, want %+v", i, f, want)
		}
		if f.Nullable != strings.HasSuffix(f.Csv, "Empty if there is none.") ||
			f.DescriptionI18N == nil || f.DescriptionI18N.Fr == nil || *f.DescriptionI18N.En != f.Description ||
			strings.Contains(f.Description, " 0 ") || strings.Contains(f.Description, "empty") {
			t.Errorf("%s: %+v", f.Name, f)
		}
	}
}

// TestParquetTypes reads the file by the schema that is in it, as DuckDB and pandas do.
func TestParquetTypes(t *testing.T) {
	t.Parallel()
	s := setup(t)
	saveExtremes(s)
	for path, rows := range map[string]int64{
		"/exports/bills.parquet":             4,
		"/exports/bills.parquet?law=true":    2,
		"/exports/bills.parquet?session=1-1": 0,
	} {
		file := openParquet(t, s.do("GET", path, "").body)
		if file.NumRows() != rows {
			t.Errorf("%s: %d rows, want %d", path, file.NumRows(), rows)
		}
		fields := file.Schema().Fields()
		if len(fields) != len(exportColumns) {
			t.Fatalf("%s: %d columns, want %d", path, len(fields), len(exportColumns))
		}
		for i, want := range exportColumns {
			kind := fields[i].Type().Kind().String()
			if logical := fields[i].Type().LogicalType(); logical != nil {
				kind += " " + logical.String()
			}
			if fields[i].Name() != want.name || kind != want.parquet || fields[i].Optional() != want.nullable {
				t.Errorf(
					"%s: column %d is %s %s, optional %v; want %+v", path, i, fields[i].Name(), kind,
					fields[i].Optional(), want,
				)
			}
		}
		if terms, ok := file.Lookup("terms"); !ok || !strings.Contains(terms, "openparliament.ca") {
			t.Errorf("%s: terms %q", path, terms)
		}
	}
}

func TestExportValues(t *testing.T) {
	t.Parallel()
	s := setup(t)
	saveExtremes(s)
	rows := parquetRows(t, openParquet(t, s.do("GET", "/exports/bills.parquet", "").body))
	var cells []map[string]string
	lines, err := csv.NewReader(bytes.NewReader(s.do("GET", "/exports/bills.csv", "").body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[lines[0][i]] = cell
		}
		cells = append(cells, row)
	}
	// None of all that may be missing is there in the second bill, which has its number alone.
	for _, column := range exportColumns {
		none := rows[1][column.name].IsNull()
		if column.name == "legisinfo_url" { // made of the number
			none = true
		}
		if none != column.nullable ||
			(cells[1][column.name] == "") != (column.nullable && column.name != "legisinfo_url") {
			t.Errorf(
				"%s of a bill that has nothing: %v in Parquet, %q in CSV", column.name, rows[1][column.name],
				cells[1][column.name],
			)
		}
		if rows[0][column.name].IsNull() != (column.name == "missing_since" || column.name == "openparliament_url") {
			t.Errorf("%s of a bill that has everything: %v", column.name, rows[0][column.name])
		}
	}
	for name, want := range map[string]int64{
		"introduced_on": -1, "royal_assent_on": 19474, "statute_year": 2023, "statute_chapter": 8, "sponsor_person_id": 7, "legisinfo_id": 11528728,
		"latest_activity_at": time.Date(2023, 4, 27, 18, 0, 0, 250e6, time.UTC).UnixMicro(),
	} {
		v := rows[0][name]
		got := v.Int64()
		if v.Kind() == parquet.Int32 {
			got = int64(v.Int32())
		}
		if got != want {
			t.Errorf("%s is %v, want %d", name, v, want)
		}
	}
	for name, want := range map[string]string{
		"introduced_on": "1969-12-31", "royal_assent_on": "2023-04-27", "statute_year": "2023", "sponsor_person_id": "7", "latest_activity_at": "2023-04-27T14:00:00.25-04:00", "committees": "CHPC;TRCM", "law": "true",
	} {
		if cells[0][name] != want {
			t.Errorf("%s is %q in CSV, want %q", name, cells[0][name], want)
		}
	}
	// One value that cannot be read costs neither its row nor the export.
	for _, name := range []string{
		"introduced_on", "royal_assent_on", "latest_activity_at", "statute_year", "sponsor_person_id", "legisinfo_id",
	} {
		if !rows[2][name].IsNull() || cells[2][name] != "" || !rows[3][name].IsNull() || cells[3][name] != "" {
			t.Errorf(
				"%s that cannot be read is %v in Parquet and %q in CSV; year 1 is %v and %q", name, rows[2][name],
				cells[2][name], rows[3][name], cells[3][name],
			)
		}
	}
	if rows[2]["title_en"].String() != "Bad values" || rows[2]["statute_chapter"].Int32() != 9 {
		t.Errorf("what can be read of that bill: %v", rows[2])
	}
	// NDJSON has what the others have, where GET /exports says, and null for the same.
	fields := decode[api.ExportList](t, s.do("GET", "/exports", ""), 200).Items[0].Fields
	for i, line := range strings.Split(strings.TrimSpace(string(s.do("GET", "/exports/bills.ndjson", "").body)), "\n") {
		if i == 2 {
			continue // as the API has it, whatever it is
		}
		var b any
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			t.Fatal(err)
		}
		for _, f := range fields {
			value, there := atPointer(b, f.Ndjson)
			if list, ok := value.([]any); ok && len(list) == 0 {
				value = nil
			}
			if year1, _ := value.(string); strings.HasPrefix(year1, "0001-") {
				continue
			}
			if !there || (value == nil) != rows[i][f.Name].IsNull() {
				t.Errorf("line %d: %s is %v, in Parquet %v", i, f.Ndjson, value, rows[i][f.Name])
			}
		}
	}
}

func openParquet(t *testing.T, body []byte) *parquet.File {
	t.Helper()
	file, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// parquetRows reads a file's rows by the schema that is in it.
func parquetRows(t *testing.T, file *parquet.File) (out []map[string]parquet.Value) {
	t.Helper()
	fields := file.Schema().Fields()
	for _, group := range file.RowGroups() {
		rows, buffer := group.Rows(), make([]parquet.Row, group.NumRows())
		n, _ := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			values := map[string]parquet.Value{}
			for _, v := range row {
				values[fields[v.Column()].Name()] = v.Clone()
			}
			out = append(out, values)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// atPointer finds a value; below null there is null.
func atPointer(v any, pointer string) (any, bool) {
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if v == nil {
			return nil, true
		}
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = object[part]; !ok {
			return nil, false
		}
	}
	return v, true
}

// TestParquetRowGroups reads a file of several row groups: each has its own statistics, by which readers skip it.
func TestParquetRowGroups(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var bills []bill
	for n := range 2300 {
		introduced := ""
		if n >= 2000 { // the last row group alone has days
			introduced = "2022-02-02"
		}
		bills = append(bills, bill{session: "44-1", number: fmt.Sprintf("C-%d", 10000+n), titleEn: "An Act", titleFr: "Loi",
			introduced: introduced, status: "Royal assent received"})
	}
	s.saveBills(1, bills...)
	file := openParquet(t, s.do("GET", "/exports/bills.parquet", "").body)
	if file.NumRows() != 2300 || len(file.RowGroups()) != 2 {
		t.Fatalf("%d rows in %d groups", file.NumRows(), len(file.RowGroups()))
	}
	i := slices.IndexFunc(file.Schema().Fields(), func(f parquet.Field) bool { return f.Name() == "introduced_on" })
	for g, nulls := range []int64{2000, 0} {
		if got := file.Metadata().RowGroups[g].Columns[i].MetaData.Statistics.NullCount; got != nulls {
			t.Errorf("row group %d counts %d nulls, want %d", g, got, nulls)
		}
	}
	if n := len(parquetRows(t, file)); n != 2300 {
		t.Errorf("%d rows were read", n)
	}
}

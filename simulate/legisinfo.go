package simulate

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	listPath   = regexp.MustCompile(`^/legisinfo/(?:en|fr)/bills/json/?$`)
	detailPath = regexp.MustCompile(`^/legisinfo/(en|fr)/bill/(\d+-\d+)/([a-z]+-\d+[a-z]?)(/json)?/?$`)
	idPath     = regexp.MustCompile(`^/legisinfo/(en|fr)/bill/(\d+)(/json)?/?$`)
)

// legisinfo serves LEGISinfo, whose paths ignore case.
func (w *World) legisinfo(rw http.ResponseWriter, r *http.Request, f Faults) {
	v, path := w.view(), strings.ToLower(r.URL.Path)
	if listPath.MatchString(path) {
		v.list(rw, r, f)
		return
	}
	if strings.TrimSuffix(path, "/") == "/legisinfo/en/overview" {
		writePage(rw, http.StatusOK, "Overview - LEGISinfo - Parliament of Canada")
		return
	}
	if m := idPath.FindStringSubmatch(path); m != nil {
		id, _ := strconv.Atoi(m[2])
		if k := v.byID[id]; k != nil {
			//nolint:gosec // a path of this server, of parts that were matched
			http.Redirect(
				rw, r, fmt.Sprintf("/legisinfo/%s/bill/%s/%s%s", m[1], k.session.code(), strings.ToLower(k.code()), m[3]),
				http.StatusFound,
			)
			return
		}
	}
	if m := detailPath.FindStringSubmatch(path); m != nil {
		if k := v.byCode[m[2]+"/"+strings.ToUpper(m[3])]; k != nil {
			if m[4] == "" {
				rw.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = fmt.Fprintf(
					rw, "<!DOCTYPE html><html><head><title>%s (%s) - LEGISinfo</title></head><body><h1>%s</h1></body></html>",
					k.code(), k.session.code(), html.EscapeString(k.titleEn),
				)
				return
			}
			writeJSON(rw, []any{k.record()})
			return
		}
	}
	http.NotFound(rw, r)
}

// list serves the bills of a session, of the current one where none is asked for, or of all.
func (v *view) list(rw http.ResponseWriter, r *http.Request, f Faults) {
	code, as := r.URL.Query().Get("parlsession"), f.Session
	switch code {
	case "":
		code, as = v.current, f.Bare
	case "all":
		as = ""
	}
	if status, err := strconv.Atoi(as); err == nil {
		http.Error(rw, http.StatusText(status), status)
		return
	}
	switch as {
	case "overview":
		http.Redirect(rw, r, "/legisinfo/en/overview", http.StatusFound)
		return
	case "away":
		http.Redirect(rw, r, "https://elsewhere.example.org/legisinfo/en/bills/json", http.StatusFound)
		return
	case "moved":
		http.Redirect(rw, r, "/legisinfo/en/bills/json?parlsession="+url.QueryEscape(code)+"&moved=true", http.StatusFound)
		return
	case "page":
		writePage(rw, http.StatusOK, "Bills - LEGISinfo")
		return
	case "ignored":
		code = v.current
	}
	items := []any{}
	for _, k := range v.bills {
		if as == "empty" || code != "all" && k.session.code() != code {
			continue
		}
		item := k.item()
		switch {
		case as == "brief":
			item = briefItem(k.record())
		case f.OtherSponsors:
			item = maps.Clone(item)
			if id, ok := item["SponsorId"].(int); ok {
				item["SponsorId"] = id%7 + 1 // of another list
			}
		}
		items = append(items, item)
	}
	writeJSON(rw, items)
}

// briefItem is the other form of an item that LEGISinfo has given: that of the bill's own record, with little in it.
func briefItem(r record) record {
	item := record{}
	for name, value := range r {
		switch value.(type) {
		case []any, record, map[string]any:
			value = nil
		}
		item[name] = value
	}
	for _, name := range []string{"OngoingStage", "LatestBillEvent", "LatestCompletedBillStage"} {
		for key := range item {
			if strings.HasPrefix(key, name) {
				item[key] = nil
			}
		}
	}
	for key := range item {
		if strings.HasPrefix(key, "Sponsor") && key != "SponsorPersonId" {
			item[key] = nil
		}
	}
	item["StatusId"], item["SponsorPersonName"], item["LatestBillEventDateTime"] = nil, " ", yearOne
	for _, key := range stageKeys {
		if at, _ := r[key].(string); at != "" {
			item[key] = withOffset(at)
		}
	}
	return item
}

// listItem is the item of a session's list that belongs to a record. It has Ottawa's offset where the record has none.
func listItem(r record, current string) record {
	str := func(key string) string { s, _ := r[key].(string); return s }
	parliament, _ := r["ParliamentNumber"].(int)
	session, _ := r["SessionNumber"].(int)
	code := fmt.Sprintf("%d-%d", parliament, session)
	item := record{
		"SearchScore": nil, "Highlight": nil, "MinistryId": nil, "PoliticalAffiliationId": nil, "LatestBillTextTypeId": nil,
		"BillId": r["Id"], "BillNumberPrefix": r["NumberPrefix"], "BillNumber": r["Number"],
		"BillNumberFormatted": r["NumberCode"],
		"BillNumberSuffix":    strings.TrimLeft(strings.TrimPrefix(str("NumberCode"), str("NumberPrefix")+"-"), "0123456789"),
		"LongTitleEn":         r["LongTitleEn"], "LongTitleFr": r["LongTitleFr"], "ShortTitleEn": r["ShortTitleEn"],
		"ShortTitleFr":                       r["ShortTitleFr"],
		"LatestBillMilestoneId":              r["LatestCompletedMajorStageId"],
		"LatestCompletedMajorStageEn":        r["LatestCompletedMajorStageNameEn"],
		"LatestCompletedMajorStageFr":        r["LatestCompletedMajorStageNameFr"],
		"LatestCompletedMajorStageChamberId": r["LatestCompletedMajorStageChamberOrganizationId"],
		"DidReinstateFromPreviousSession":    r["DidReinstateFromPreviousSession"],
		"ParlSessionCode":                    code,
		"ParlSessionEn":                      ordinal(parliament) + " Parliament, " + ordinal(session) + " session",
		"ParlSessionFr":                      fmt.Sprintf("%de législature, %s session", parliament, ordinalFr(session)),
		"ParliamentNumber":                   parliament, "SessionNumber": session,
		"OriginatingChamberId": r["OriginatingChamberOrganizationId"], "IsFromCurrentSession": code == current,
		"BillTypeId": r["BillDocumentTypeId"], "BillTypeEn": r["BillDocumentTypeNameEn"],
		"BillTypeFr":      r["BillDocumentTypeNameFr"],
		"CurrentStatusId": r["StatusId"], "CurrentStatusEn": r["StatusNameEn"], "CurrentStatusFr": r["StatusNameFr"],
		"SponsorId":        r["SponsorPersonId"],
		"SponsorEn":        strings.TrimSpace(str("SponsorPersonShortHonorificEn") + " " + str("SponsorPersonName")),
		"SponsorFr":        strings.TrimSpace(str("SponsorPersonShortHonorificFr") + " " + str("SponsorPersonName")),
		"LatestActivityEn": nil, "LatestActivityFr": nil, "LatestActivityDateTime": nil,
	}
	if texts, _ := r["Publications"].([]any); len(texts) > 0 {
		item["LatestBillTextTypeId"] = texts[len(texts)-1].(record)["PublicationTypeId"]
	}
	if at := str("LatestBillEventDateTime"); at != yearOne {
		item["LatestActivityEn"] = r["LatestBillEventTypeNameEn"]
		item["LatestActivityFr"] = r["LatestBillEventTypeNameFr"]
		item["LatestActivityDateTime"] = withOffset(at)
	}
	for _, key := range stageKeys {
		item[key] = nil
		if at := str(key); at != "" {
			item[key] = withOffset(at)
		}
	}
	return item
}

func withOffset(at string) string {
	t, err := time.ParseInLocation(bare, at, ottawa)
	if err != nil { // written by clockOf
		return at
	}
	return at + t.Format("-07:00")
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

func ordinalFr(n int) string {
	if n == 1 {
		return "1re"
	}
	return strconv.Itoa(n) + "e"
}

package simulate

import (
	"fmt"
	"strings"
	"time"
)

// record is an object of LEGISinfo's.
type record map[string]any

// in gives a text its three names: Name, NameEn and NameFr.
func (r record) in(name string, en, fr any) {
	r[name], r[name+"En"], r[name+"Fr"] = en, en, fr
}

func (r record) set(values record) {
	for k, v := range values {
		r[k] = v
	}
}

const (
	bare     = "2006-01-02T15:04:05.999" // without an offset, as LEGISinfo's details have it
	dayOnly  = "2006-01-02T00:00:00"
	yearOne  = "0001-01-01T00:00:00" // LEGISinfo's way to say none
	noNumber = 0
)

// major are the stages that a record counts as such.
var major = map[int]struct {
	id      int
	stageID int
	en, fr  string
}{
	houseFirst:   {60043, 60029, "First reading", "Première lecture"},
	senateFirst:  {60043, 60029, "First reading", "Première lecture"},
	houseSecond:  {60044, 60030, "Second reading", "Deuxième lecture"},
	senateSecond: {60044, 60030, "Second reading", "Deuxième lecture"},
	houseThird:   {60045, 60031, "Third reading", "Troisième lecture"},
	senateThird:  {60045, 60031, "Third reading", "Troisième lecture"},
	royalAssent:  {60046, 60050, "Royal assent", "Sanction royale"},
}

// record is LEGISinfo's own record of a bill as known at a moment.
func (w *World) record(b *bill, end time.Time) record {
	reached := b.reached(end)
	last := reached[len(reached)-1]
	r := b.dates(reached)
	s := b.status(reached, end)
	at := clock(last.at)
	ongoing := b.session == w.sessions[len(w.sessions)-1] || !b.session.ends.Before(end)
	r.set(record{
		"Id": b.id, "NumberCode": b.code(), "NumberPrefix": b.prefix, "Number": b.number, "StatusId": s.id,
		"ParliamentNumber": b.session.parliament, "SessionNumber": b.session.number,
		"IsGovernmentBill": b.government, "IsHouseBill": b.prefix == "C", "IsSenateBill": b.prefix == "S",
		"IsSessionOngoing":                 ongoing,
		"OriginatingChamberOrganizationId": b.chamber(), "ConsideredDuringPreviousSitting": b.id%97 == 0,
		"IsProForma":                        b.number == 1,
		"IsFullLegislativeSummaryAvailable": b.summary,
		"IsDroppedFromSenateOrderPaper":     b.fate == dropped && !b.fateAt.After(end),
		"StatuteYear":                       nil, "StatuteChapter": nil,
		"LatestCompletedBillStageDateTime": b.clockOf(last.at),
		"BillStages":                       nil, "Publications": b.publications(reached, end), "SimilarBills": w.similar(b),
		"HouseVoteDetails": []any{},
		"WebReferences":    []any{}, "BibliographicNotices": []any{}, "HouseRulingAndStatements": []any{},
		"SenateRulingAndStatements": []any{}, "SenatePreStudyCommitteeDetails": nil,
	})
	r.in("LongTitle", b.titleEn, b.titleFr)
	r.in("ShortTitle", b.shortEn, b.shortFr)
	r.in("StatusName", s.en, s.fr)
	if last.kind == royalAssent {
		r["StatuteYear"], r["StatuteChapter"] = at.Year(), b.chapter
	}
	b.progress(r, reached, s, end)
	b.kind(r)
	b.sponsorship(r)
	b.reinstatement(r, end)
	b.texts(r)
	if !b.session.documented() {
		r.set(record{
			"LatestBillEventCommitteeDetails": nil, "LatestBillEventEventTypeId": 0, "LatestBillEventStageId": 0,
			"LatestBillEventDateTime":              yearOne,
			"LatestBillEventChamberOrganizationId": 0, "LatestBillEventNumberOfAmendments": 0,
			"LatestBillEventAmendmentNoteId": 0, "LatestBillEventMeetingNumber": nil})
		for _, name := range []string{
			"LatestBillEventTypeName", "LatestBillEventChamberName", "LatestBillEventAdditionalInformation",
		} {
			r.in(name, nil, nil)
		}
		return r
	}
	c := w.course(b, end)
	r["BillStages"] = c.stages
	c.latest(r)
	r["HouseVoteDetails"] = b.voteDetails(end)
	b.beside(r, end)
	return r
}

// progress says what was completed last and what goes on.
func (b *bill) progress(r record, reached []stage, s status, end time.Time) {
	last := reached[len(reached)-1]
	m := major[last.kind]
	chamber := 1
	if last.kind >= senateFirst {
		chamber = 2
	}
	en, fr := chamberName(chamber)
	r.set(record{
		"LatestCompletedMajorStageId": m.id, "LatestCompletedMajorStageChamberOrganizationId": chamber,
		"LatestCompletedBillStageId": m.stageID, "LatestCompletedBillStageChamberOrganizationId": chamber,
		"LatestCompletedMajorStageNameWithChamberSuffix": m.en + " in the " + en,
		"IsInSenatePreStudy": b.prestudied() && last.kind < senateFirst &&
			b.prestudyAt().Before(end),
		"OngoingStageId": m.stageID,
	})
	r.in("LatestCompletedMajorStageName", m.en, m.fr)
	r.in("LatestCompletedMajorStageChamberName", en, fr)
	r.in("LatestCompletedBillStageName", m.en, m.fr)
	r.in("LatestCompletedBillStageChamberName", en, fr)
	r.in("OngoingStageName", m.en, m.fr)
	if s == assented {
		r["LatestCompletedMajorStageNameWithChamberSuffix"] = m.en
	}
	b.ongoing(r, s, len(reached))
	passed := map[int]bool{}
	for _, s := range reached {
		passed[s.kind] = true
	}
	first, second := houseFirst, senateFirst
	if b.prefix == "S" {
		first, second = second, first
	}
	for i, name := range []string{"FirstReading", "SecondReading", "ThirdReading"} {
		r["PassedFirstChamber"+name], r["PassedSecondChamber"+name] = passed[first+i], passed[second+i]
	}
	r["ReceivedRoyalAssent"] = passed[royalAssent]
}

// ongoing names the stage that goes on, if it is not the one that was reached last.
func (b *bill) ongoing(r record, s status, reached int) {
	going := func(id int, en, fr string) {
		r["OngoingStageId"] = id
		r.in("OngoingStageName", en, fr)
	}
	switch s {
	case beforeSecond:
		going(60047, "Referral to committee before second reading", "Renvoi à un comité avant la deuxième lecture")
	case notProceeded:
		going(60055, "Additional information", "Informations supplémentaires")
	case houseAtSecond, senateAtSecond, billDefeated:
		going(60030, "Second reading", "Deuxième lecture")
	case houseInCommittee, senateInCommittee:
		going(60049, "Consideration in committee", "Examen en comité")
	case houseAtReport:
		going(60032, "Report stage", "Étape du rapport")
	case houseAtThird:
		going(60031, "Third reading", "Troisième lecture")
	case awaitingAssent:
		going(
			60033, "Consideration of messages between the Senate and the House of Commons",
			"Étude des messages entre le Sénat et la Chambre des communes",
		)
	}
	if b.reinstatedFrom != nil && reached == 1 {
		going(60039, "Bill reinstated from previous session", "Projet de loi rétabli de la session précédente")
	}
}

// kind says what sort of a bill it is.
func (b *bill) kind(r record) {
	r["BillDocumentTypeId"] = map[string]int{
		"House Government Bill": 3, "Private Member's Bill": 4, "Senate Government Bill": 80759, "Senate Public Bill": 80760,
	}[b.kindEn]
	r.in("BillDocumentTypeName", b.kindEn, b.kindFr)
	form, en, fr := 10, "Regular", "Ordinaire"
	switch {
	case b.number == 1:
		form, en, fr = 15, "Pro forma", "Pro forma"
	case strings.HasPrefix(b.shortEn, "Appropriation"):
		form, en, fr = 13, "Appropriation", "Crédits"
	}
	r["BillFormId"] = form
	r.in("BillFormName", en, fr)
	en, fr = chamberName(b.chamber())
	r.in("OriginatingChamberName", en, fr)
}

// offices are those of ministers.
var offices = [][2]string{
	{"Minister of Finance", "ministre des Finances"}, {"Minister of Justice", "ministre de la Justice"},
	{"President of the Treasury Board", "présidente du Conseil du Trésor"},
	{"Minister of Canadian Heritage", "ministre du Patrimoine canadien"}, {"Minister of Health", "ministre de la Santé"},
}

// sponsorship is who brought the bill in: a minister, a member with a riding, or a senator without one.
func (b *bill) sponsorship(r record) {
	m := b.sponsor
	honorificFr := ""
	if m.honorific != "" {
		honorificFr = "L'hon."
	}
	r.set(record{
		"SponsorPersonId": m.id, "SponsorPersonName": m.name(), "SponsorPersonOfficialFirstName": m.first,
		"SponsorPersonOfficialLastName":    m.last,
		"SponsorPersonUsualFirstName":      map[bool]string{true: m.first}[m.id%7 == 0],
		"SponsorPersonMiddleName":          map[bool]string{true: "J."}[m.id%9 == 0],
		"SponsorSenateSystemAffiliationId": nil, "SponsorConstituencyId": 100 + m.id%338,
	})
	r.in("SponsorPersonShortHonorific", m.honorific, honorificFr)
	role, en, fr, title := 2, "Member of Parliament", "député(e)", [2]string{"Member of Parliament", "député(e)"}
	switch {
	case b.prefix == "S" && b.government:
		role = 30
		en = "Leader of the Government in the Senate"
		fr = "leader du gouvernement au Sénat"
		title = [2]string{"Leader of the Government in the Senate", "leader du gouvernement au Sénat"}
	case b.prefix == "S":
		role, en, fr, title = 3, "Senator", "sénateur", [2]string{"Senator", "sénateur"}
	case b.government:
		role, en, fr, title = 4, "Minister", "ministre", offices[m.id%len(offices)]
	}
	r["SponsorAffiliationRoleId"] = role
	r.in("SponsorAffiliationRoleName", en, fr)
	r.in("SponsorAffiliationTitle", title[0], title[1])
	r.in("SponsorConstituencyName", m.riding, m.riding)
	if b.prefix == "S" {
		r["SponsorSenateSystemAffiliationId"] = 200_000 + m.id
		r.in("SponsorConstituencyName", "", "")
		if b.id%3 == 0 {
			r["SponsorConstituencyId"] = nil
		}
	}
}

// reinstatement links a bill to the one that it goes on with in a later session.
func (b *bill) reinstatement(r record, end time.Time) {
	r.set(record{
		"DidReinstateFromPreviousSession": b.reinstatedFrom != nil, "ReinstatedFromBillDocumentId": nil,
		"ReinstatedFromBillNumberCode": nil,
		"DidReinstateInNextSession":    false, "ReinstatedAsBillDocumentId": nil, "ReinstatedAsBillNumberCode": nil,
	})
	if from := b.reinstatedFrom; from != nil {
		r["ReinstatedFromBillDocumentId"], r["ReinstatedFromBillNumberCode"] = from.id, from.code()
	}
	if as := b.reinstatedAs; as != nil && !as.stages[0].at.After(end) {
		r["DidReinstateInNextSession"] = true
		r["ReinstatedAsBillDocumentId"] = as.id
		r["ReinstatedAsBillNumberCode"] = as.code()
	}
}

// texts are the Library's summary, in HTML that is not always whole, and notes.
func (b *bill) texts(r record) {
	var en, fr any
	switch {
	case b.summary:
		en = fmt.Sprintf(
			"<div>This enactment deals with %s.<br /><br />It exists in this simulation only.<br/>• It costs &lt; "+
				"$5&nbsp;million — at most.</div>",
			b.titleEn,
		)
		fr = fmt.Sprintf(
			"<div>Le texte porte sur ceci : %s.<br /><br />Il n'existe que dans cette simulation.<br/>• Il coûte &lt; "+
				"5&nbsp;M$ — au plus.</div>",
			b.titleFr,
		)
	case !b.session.documented():
		en, fr = "", ""
	}
	r.in("ShortLegislativeSummary", en, fr)
	note, noteFr := "", ""
	if b.id%12 == 0 {
		note = `<div><p>On a day of its own, the House <i>amended</i> this.</p>` +
			`<a href="https://sencanada.example/en/">See the Journals</a><br /></div>`
		noteFr = `<div><p>Un jour, la Chambre l'a <i>modifié</i>, n<sup>o</sup> 2.</p>` +
			`<a href="https://sencanada.example/fr/">Voir les Journaux</a><br /></div>`
	}
	r.in("Notes", note, noteFr)
}

// publications are the versions of the text so far.
func (b *bill) publications(reached []stage, end time.Time) []any {
	list := []any{}
	add := func(typeID int, en, fr string) {
		p := record{"PublicationId": b.id*10 + len(list), "PublicationTypeId": typeID}
		p.in("PublicationTypeName", en, fr)
		list = append(list, p)
	}
	if b.number == 1 {
		return list // a bill that is read for form's sake has none
	}
	add(80701, "First Reading", "Première lecture")
	if !b.reported.IsZero() && !b.reported.After(end) && b.id%2 == 0 {
		add(80702, "As amended by committee", "Tel que modifié par le comité")
	}
	for _, s := range reached {
		switch s.kind {
		case houseThird:
			add(80703, "As passed by the House of Commons", "Tel qu'adopté par la Chambre des communes")
		case senateThird:
			add(80703, "As passed by the Senate", "Tel qu'adopté par le Sénat")
		case royalAssent:
			add(80704, "Royal Assent", "Royal Assent") // so it is called in both languages
		}
	}
	return list
}

// voteDetails are all divisions on the bill.
func (b *bill) voteDetails(end time.Time) []any {
	list := []any{}
	for _, v := range b.votes {
		if v.number == 0 || v.at.After(end) {
			continue
		}
		total := v.yeas + v.nays
		if b.id%3 == 0 {
			total += v.paired
		}
		d := record{
			"BillDocumentId": 0, "DivisionNumber": v.number, "DivisionVotesYeas": v.yeas, "DivisionVotesNays": v.nays,
			"DivisionVotePaired": v.paired, "DivisionVoteTotal": total,
			"DecisionResultId": v.result.id, "DecisionDateTime": clock(v.at).Format("2006-01-02T15:00:00"),
			"IsAgreedTo": v.result == agreed, "IsNegatived": v.result == negatived, "IsTied": v.result == tie,
			"OrganizationId": 0,
		}
		d.in("DivisionSubject", v.subjectEn, v.subjectFr)
		d.in("DecisionResultName", v.result.en, v.result.fr)
		list = append(list, d)
	}
	return list
}

// beside is what was published about the bill elsewhere.
func (b *bill) beside(r record, end time.Time) {
	refs := []any{}
	kinds := []struct {
		id     int
		en, fr string
	}{
		{8, "Related Links", "Liens connexes"}, {7, "Background Documents", "Document(s) d'information"},
		{5, "Press Release", "Communiqué de presse"},
		{13, "Legislative Costing Note", "Note sur l'évaluation du coût d'une mesure législative"},
	}
	for i := range b.id % 5 {
		ref := record{"BillDocumentId": 0, "WebReferenceTypeId": kinds[i%4].id}
		ref.in("Title", "On "+strings.TrimSpace(b.titleEn), "Sur : "+strings.TrimSpace(b.titleFr))
		ref.in("WebReferenceTypeName", kinds[i%4].en, kinds[i%4].fr)
		ref.in(
			"Url", fmt.Sprintf("http://www.example.ca/english/%d/%d", b.id, i),
			map[bool]string{true: fmt.Sprintf("http://www.example.ca/francais/%d/%d", b.id, i)}[i != 2],
		)
		refs = append(refs, ref)
	}
	notices := []any{}
	for i := range b.id % 4 / 2 {
		notices = append(notices, record{
			"BibliographicNoticeId": b.id*4 + i, "BillDocumentId": 0, "Title": "Law and order : on " + b.titleEn,
			"Author": "Plecash, Chris", "Publication": "Hill Times", "VolumePage": "89:14",
			"PublicationDate": "printemps 2013", "Classification": "JL1 H55", "LanguageId": 1 + b.id%3,
			"IsOnlineVersionAvailable": b.id%8 == 3})
	}
	rulings := func(chamber int, url string) []any {
		ruling := record{
			"EventTypeId": 60154, "ParliamentNumber": b.session.parliament, "SessionNumber": b.session.number,
			"MeetingNumber": 1 + b.id%200, "HansardNumber": noNumber,
			"RulingStatementDateTime": b.clockOf(
				b.stages[0].at.AddDate(0, 0, 9),
			), "ChamberOrganizationId": chamber, "UrlEn": url, "UrlFr": url}
		ruling.in(
			"EventTypeName", "Major Speaker's Rulings and Statements", "Décisions et déclarations importantes de la présidence",
		)
		return []any{ruling}
	}
	r["WebReferences"], r["BibliographicNotices"] = refs, notices
	if b.stages[0].at.AddDate(0, 0, 9).After(end) {
		return
	}
	if b.id%15 == 0 {
		r["HouseRulingAndStatements"] = rulings(1, "")
	}
	if b.id%23 == 0 {
		r["SenateRulingAndStatements"] = rulings(2, "https://sencanada.example/en/content/sen/chamber")
	}
}

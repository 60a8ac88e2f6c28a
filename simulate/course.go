package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// courseOf is what a record says of a bill's stages.
type courseOf struct {
	bill   *bill
	end    time.Time
	stages record
	events []happening // those that are known, with debates
}

// happening is an event of a stage.
type happening struct {
	typeID    int
	en, fr    string
	at        time.Time
	stageID   int
	chamber   int
	completes bool
	defeats   bool
	extra     [2]string
	committee *committee
	report    int // number of the committee's report; 0: none
}

// States of a stage.
const (
	notReached   = 1
	noActivity   = 2
	inProgress   = 3
	completed    = 4
	notCompleted = 5
)

var stateNames = map[int][2]string{
	notReached: {"Not reached", "Non franchie"}, noActivity: {"No activity", "Aucune activité"},
	inProgress: {"In progress", "En cours"}, completed: {"Completed", "Complétée"},
	notCompleted: {"Not completed", "Non complétée"},
}

// course lays out the bill's stages, as known at a moment.
func (w *World) course(b *bill, end time.Time) *courseOf {
	c := &courseOf{bill: b, end: end, stages: record{"BillId": 0}}
	by := map[int]time.Time{}
	for _, s := range b.stages {
		by[s.kind] = s.at
	}
	c.stages["HouseBillStages"] = c.write(w, b.houseLegs(by))
	c.stages["SenateBillStages"] = c.write(w, b.senateLegs(by))
	c.stages["InterChamberMessages"] = c.messages(by)
	if at, ok := by[royalAssent]; ok && !at.After(end) {
		h := happening{
			typeID: 60149, en: "Royal assent", fr: "Sanction royale", at: at, stageID: 60050, chamber: 2, completes: true,
		}
		if b.id%5 == 0 {
			h.extra = [2]string{
				"When the date of a written declaration of royal assent",
				"Lorsque la date d'une déclaration écrite de sanction royale",
			}
		}
		o := c.single(h, 60050, "Royal assent", "Sanction royale", false)
		o["EndOfStageEvent"] = c.endOf(h)
		c.stages["RoyalAssent"] = o
	}
	if b.fate == abandoned && !b.fateAt.After(end) {
		c.stages["HouseAdditionalInformation"] = c.single(
			happening{
				typeID: 60174, en: "Bill not proceeded with", fr: "Abandon du projet de loi", at: b.fateAt, stageID: 60055,
				chamber: 1,
			},
			60055, "Additional information", "Informations supplémentaires", true,
		)
	}
	if b.fate == dropped && !b.fateAt.After(end) {
		h := happening{
			typeID: 60147, en: "Dropped from the Senate Order Paper", fr: "Rayé du Feuilleton du Sénat", at: b.fateAt,
			stageID: 60055, chamber: 2,
		}
		if b.id%2 == 0 {
			h.extra = [2]string{
				"Dropped pursuant to Rule 4-15(2) of the Rules of the Senate",
				"Rayé conformément à l'article 4-15(2) du Règlement du Sénat",
			}
		}
		c.stages["SenateAdditionalInformation"] = c.single(
			h, 60055, "Additional information", "Informations supplémentaires", false,
		)
	}
	return c
}

// write makes stages of legs, as known at the course's moment.
func (c *courseOf) write(w *World, legs []leg) []any {
	list := []any{}
	for _, l := range legs {
		list = append(list, c.stage(w, l))
	}
	return list
}

func (c *courseOf) known(t time.Time) bool { return !t.IsZero() && !t.After(c.end) }

// stage makes a stage of a leg, as known at the course's moment.
func (c *courseOf) stage(w *World, l leg) record {
	b := c.bill
	house := l.chamber == 1
	o := record{
		"BillStageId": l.id, "ChamberOrganizationId": 0, "ParliamentNumber": 0, "SessionNumber": 0, "StateAsOfDate": nil,
		"Committee": nil, "Sittings": []any{}, "SignificantEvents": []any{}, "EndOfStageEvent": nil,
		"StageEventCount": 0, "LastStageEventStartDateTime": nil, "Speeches": []any{},
		"ContainsReferralToCommitteeEvent": false, "ContainsRecommittalOfBillEvent": false, "CommitteeMeetings": []any{}}
	if house {
		o["Decisions"] = []any{}
	}
	o.in("BillStageName", l.en, l.fr)
	if !c.known(l.begins) {
		o.setState(notReached)
		return o
	}
	done := c.known(l.ends)
	upto := l.ends
	if !done {
		upto = slices.MinFunc([]time.Time{c.end, b.session.ends, l.begins.AddDate(0, 3, 0)}, time.Time.Compare)
		if b.fate != alive && b.fateAt.Before(upto) {
			upto = b.fateAt
		}
	}
	o["ChamberOrganizationId"] = l.chamber
	o["ParliamentNumber"] = b.session.parliament
	o["SessionNumber"] = b.session.number
	p := proceedings{course: c, leg: l, upto: upto}
	p.debate(w)
	p.happen(o, done)
	if l.committee != nil {
		o["Committee"] = c.committee(*l.committee, house)
		o["CommitteeMeetings"] = p.meetings()
	}
	if house && l.votes != 0 {
		o["Decisions"] = c.decisions(l.votes)
	}
	set := func(name string, list []any) {
		if list != nil {
			o[name] = list
		}
	}
	set("Sittings", p.sittings)
	set("Speeches", p.speeches)
	set("SignificantEvents", p.events)
	active := len(p.sittings)+len(p.events) > 0 || l.committee != nil
	switch {
	case done:
		o.setState(completed)
	case c.end.After(b.session.ends) && active || b.fate == defeated && c.known(b.fateAt):
		o.setState(notCompleted)
	case active:
		o.setState(inProgress)
	default:
		o.setState(noActivity)
	}
	return o
}

// setState sets the state of a stage.
func (r record) setState(state int) {
	r["State"] = state
	r.in("StateName", stateNames[state][0], stateNames[state][1])
}

// proceedings are what happens in a stage, up to the course's moment or the end of the stage.
type proceedings struct {
	course                     *courseOf
	leg                        leg
	upto                       time.Time
	sittings, speeches, events []any
}

func (p *proceedings) sit(en, fr string, at time.Time, extra any) {
	house := p.leg.chamber == 1
	s := record{"Number": p.course.bill.sittingNumber(at), "Date": clock(at).Format(dayOnly), "IsPublished": house}
	if house { // a text there
		s["Number"] = fmt.Sprint(s["Number"])
	}
	s.in("Name", en, fr)
	s.in("AdditionalInformation", extra, extra)
	p.sittings = append(p.sittings, s)
}

// debate adds the sittings and speeches of the debate.
func (p *proceedings) debate(w *World) {
	l, b := p.leg, p.course.bill
	if l.debate[0] == "" {
		return
	}
	for i := range 1 + (b.id+l.id)%3 {
		at := workday(l.begins.AddDate(0, 0, 7*(i+1)))
		if !at.Before(p.upto) {
			break
		}
		extra := ""
		if l.chamber != 1 && b.id%9 == 0 {
			extra = "A point of order was raised with respect to the bill."
		}
		p.sit(l.debate[0], l.debate[1], at, extra)
		p.course.events = append(p.course.events, happening{
			typeID: 60115, en: l.debate[0], fr: l.debate[1], at: at, stageID: l.id, chamber: l.chamber,
			extra: [2]string{extra, extra},
		})
		p.speeches = append(p.speeches, p.course.speech(w, l, at, i))
	}
}

// happen adds the events of the stage, and its end if it is done.
func (p *proceedings) happen(o record, done bool) {
	l := p.leg
	all := l.events
	if done {
		end := l.end
		end.at = l.ends
		all = append(slices.Clone(all), end)
		o["EndOfStageEvent"], o["StateAsOfDate"] = p.course.endOf(end), p.course.bill.clockOf(l.ends)
	}
	slices.SortStableFunc(all, func(x, y happening) int { return x.at.Compare(y.at) })
	for _, h := range all {
		if !p.course.known(h.at) {
			continue
		}
		h.stageID, h.chamber = l.id, l.chamber
		p.course.events = append(p.course.events, h)
		p.events = append(p.events, p.course.event(h))
		if h.completes || h.defeats {
			p.sit(h.en, h.fr, h.at, nil)
		}
		o["StageEventCount"], o["LastStageEventStartDateTime"] = 1, p.course.bill.clockOf(h.at)
		if l.chamber != 1 && h.typeID == 60123 {
			o["ContainsReferralToCommitteeEvent"] = true
		}
		if h.typeID == 60132 {
			o["ContainsRecommittalOfBillEvent"] = true
		}
	}
}

// meetings returns the meetings of the stage's committee.
func (p *proceedings) meetings() []any {
	l, b := p.leg, p.course.bill
	meetings := []any{}
	for i := range l.meetings {
		at := workday(l.begins.AddDate(0, 0, 4+7*i))
		if !at.Before(p.upto) {
			break
		}
		m := record{
			"CommitteeOrganizationId": organization(*l.committee), "CommitteeAcronym": l.committee.acronym,
			"Number": 1 + (b.id+i)%120, "Date": clock(at).Format(dayOnly),
		}
		m.in("CommitteeName", l.committee.en, l.committee.fr)
		meetings = append(meetings, m)
	}
	return meetings
}

// sittingNumber counts the days on which a chamber sits, more or less.
func (b *bill) sittingNumber(at time.Time) int {
	return 1 + int(at.Sub(b.session.begins).Hours()/24)*4/7
}

func (c *courseOf) event(h happening) record {
	o := record{
		"EventTypeId": h.typeID, "BillDocumentId": 0, "EventDateTime": clock(h.at).Format(dayOnly),
		"IsCompletionOfBillStage": h.completes, "IsDefeatedEvent": h.defeats, "CommitteeReportId": nil,
		"CommitteeReportNumber": nil,
		"MeetingEventId":        nil, "AmendmentNoteId": nil}
	if h.report > 0 {
		o["CommitteeReportId"], o["CommitteeReportNumber"] = 5_000_000+c.bill.id, h.report
	}
	o.in("EventName", h.en, h.fr)
	o.in("AdditionalInformation", h.extra[0], h.extra[1])
	return o
}

func (c *courseOf) endOf(h happening) record {
	at := c.bill.clockOf(h.at)
	o := record{"EventTypeId": h.typeID, "EventStartDateTime": at, "EventEndDateTime": at}
	o.in("EventTypeName", h.en, h.fr)
	return o
}

// single is a stage that is one event. Its sitting and its event are objects where other stages have lists.
func (c *courseOf) single(h happening, id int, en, fr string, published bool) record {
	b := c.bill
	c.events = append(c.events, h)
	sitting := record{"Number": b.sittingNumber(h.at), "Date": clock(h.at).Format(dayOnly), "IsPublished": published}
	sitting.in("Name", h.en, h.fr)
	sitting.in("AdditionalInformation", nil, nil)
	o := record{
		"BillStageId": id, "ChamberOrganizationId": h.chamber, "ParliamentNumber": b.session.parliament,
		"SessionNumber": b.session.number, "State": 0, "StateAsOfDate": nil, "Committee": nil, "Sittings": sitting,
		"SignificantEvents": c.event(h), "EndOfStageEvent": nil, "StageEventCount": 1,
		"LastStageEventStartDateTime": b.clockOf(h.at), "Speeches": nil, "ContainsReferralToCommitteeEvent": false,
		"ContainsRecommittalOfBillEvent": false}
	o.in("BillStageName", en, fr)
	o.in("StateName", nil, nil)
	return o
}

// organization is a committee's number.
func organization(c committee) int { return 16_000 + int(c.acronym[0])*10 + int(c.acronym[1]) }

// committee is one that a bill was before. That it is called one of the House, in the Senate too, is as in the records.
func (c *courseOf) committee(of committee, house bool) record {
	o := record{
		"BillDocumentId": 0, "CommitteeOrganizationId": organization(of), "CommitteeAcronym": of.acronym,
		"StudyActivityId": nil, "OrganizationTypeId": nil, "ParentCommittee": nil, "IsSubCommittee": false,
		"IsHouseOfCommonsCommittee": true, "IsSenateCommittee": false, "IsJointCommittee": false}
	if house && c.bill.id%4 > 0 {
		o["StudyActivityId"], o["OrganizationTypeId"] = 12_000_000+c.bill.id, 6
	}
	o.in("CommitteeName", of.en, of.fr)
	return o
}

// speech is the sponsor's, the first time, and somebody's response afterwards.
func (c *courseOf) speech(w *World, l leg, at time.Time, nth int) record {
	b := c.bill
	m := b.sponsor
	id, en, fr := 60153, "Sponsor's speech", "Discours du parrain"
	if nth > 0 {
		m = w.members[(b.id+nth)%len(w.members)]
		id, en, fr = 60152, "Response speech", "Discours de réplique"
	}
	o := record{
		"BillId": 0, "ChamberOrganizationId": l.chamber, "InterventionEventId": nil, "EventTypeId": id, "PersonId": m.id,
		"PersonOfficialFirstName": m.first, "PersonOfficialLastName": m.last,
		"PersonMiddleName": map[bool]string{true: "J."}[m.id%9 == 0], "PersonName": m.name(),
		"SenateSystemAffiliationId": nil, "ParliamentNumber": b.session.parliament, "SessionNumber": b.session.number,
		"MeetingNumber": b.sittingNumber(at), "SpeechDateTime": b.clockOf(at)}
	o.in("EventTypeName", en, fr)
	o.in("CaucusShortName", m.party, m.party)
	o.in("Url", "", "")
	if l.chamber == 1 {
		o["InterventionEventId"] = 3_800_000 + b.id
	} else {
		o["SenateSystemAffiliationId"] = 200_000 + m.id
		o.in("Url", "https://sencanada.example/en/content/sen/chamber", "https://sencanada.example/fr/content/sen/chamber")
		if b.id%31 == 0 {
			o["MeetingNumber"] = nil
		}
	}
	return o
}

// decisions are those at the end of a stage, counted or not.
func (c *courseOf) decisions(kind int) []any {
	list := []any{}
	for i, v := range c.bill.votes {
		if !v.decided || v.stage != kind || v.at.After(c.end) {
			continue
		}
		m := methods[v.method]
		o := record{
			"DecisionProceduralEventId": 3_900_000 + c.bill.id*10 + i, "DecisionMotionDocumentId": 5_080_000 + c.bill.id*10 + i,
			"DecisionResultId": v.result.id, "DecisionMethodId": m.id,
			"DivisionNumber": nil, "DivisionVotesYeas": nil, "DivisionVotesNays": nil, "DivisionVotePaired": nil,
			"DecisionSittingDate": clock(v.at).Format(dayOnly), "DecisionSittingNumber": fmt.Sprint(c.bill.sittingNumber(v.at))}
		if v.number > 0 {
			o["DivisionNumber"] = v.number
			o["DivisionVotesYeas"] = v.yeas
			o["DivisionVotesNays"] = v.nays
			o["DivisionVotePaired"] = v.paired
		}
		o.in("DecisionMotionTitle", v.motionEn, v.motionFr)
		o.in("DecisionResultName", v.result.en, v.result.fr)
		o.in("DecisionMethodName", m.en, m.fr)
		list = append(list, o)
	}
	return list
}

// messages go between the chambers when one amends what the other has passed.
func (c *courseOf) messages(by map[int]time.Time) []any {
	list := []any{}
	b := c.bill
	after, assent := by[senateThird], by[royalAssent]
	if b.prefix == "S" {
		after = by[houseThird]
	}
	if after.IsZero() || assent.IsZero() || b.id%4 != 0 {
		return list
	}
	for i, m := range []struct {
		en, fr  string
		chamber int
	}{
		{"Message sent to the House of Commons", "Message envoyé à la Chambre des communes", 2},
		{"Consideration of Senate amendments", "Étude des amendements du Sénat", 1},
		{
			"Concurrence in the motion respecting Senate amendments", "Adoption de la motion relative aux amendements du Sénat",
			1,
		},
	} {
		at := after.Add(assent.Sub(after) * time.Duration(i+1) / 4)
		if at.After(c.end) {
			break
		}
		o := record{
			"Date": clock(at).Format(dayOnly), "ParliamentNumber": b.session.parliament, "SessionNumber": b.session.number,
			"MeetingNumber": b.sittingNumber(at), "ChamberOrganizationId": m.chamber,
		}
		o.in("EventName", m.en, m.fr)
		list = append(list, o)
	}
	return list
}

// latest notes the latest event of the course in a record. A bill taken up from an earlier session, in which nothing
// happened since, has none.
func (c *courseOf) latest(r record) {
	b := c.bill
	last := happening{}
	if len(c.events) > 0 && (!b.undated || len(b.reached(c.end)) > 1) {
		last = slices.MaxFunc(c.events, func(x, y happening) int {
			return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.chamber, y.chamber))
		})
	}
	r.set(record{
		"LatestBillEventEventTypeId": last.typeID, "LatestBillEventStageId": last.stageID, "LatestBillEventDateTime": yearOne,
		"LatestBillEventChamberOrganizationId": last.chamber, "LatestBillEventCommitteeDetails": nil,
		"LatestBillEventNumberOfAmendments": 0, "LatestBillEventAmendmentNoteId": 0, "LatestBillEventMeetingNumber": nil})
	r.in("LatestBillEventTypeName", last.en, last.fr)
	r.in("LatestBillEventAdditionalInformation", last.extra[0], last.extra[1])
	r.in("LatestBillEventChamberName", "", "")
	if pre := c.bill; pre.prestudied() && c.known(pre.prestudyAt()) {
		r["SenatePreStudyCommitteeDetails"] = c.committee(pre.senate, false)
	}
	if last.typeID == 0 {
		r["LatestBillEventStageId"] = nil
		return
	}
	r["LatestBillEventDateTime"], r["LatestBillEventMeetingNumber"] = b.clockOf(last.at), b.sittingNumber(last.at)
	en, fr := chamberName(last.chamber)
	r.in("LatestBillEventChamberName", en, fr)
	if last.committee != nil {
		r["LatestBillEventCommitteeDetails"] = c.committee(*last.committee, false)
	}
	if strings.Contains(last.en, "amendments") {
		r["LatestBillEventNumberOfAmendments"], r["LatestBillEventAmendmentNoteId"] = 1+b.id%9, 122
	}
}

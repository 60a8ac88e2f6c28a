package legisinfo

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// stages reads the stages. Bills before the 37th Parliament have none.
func (d *Detail) stages(r fields, session string) {
	// The record's own flags mark Senate committees as the House's. The stage's chamber is right.
	for _, in := range []struct{ name, chamber string }{{"HouseBillStages", "house"}, {"SenateBillStages", "senate"}} {
		for _, s := range r.list(in.name) {
			name := s.names("BillStageName")
			st := Stage{
				Chamber: in.chamber, NameEn: name.En, NameFr: name.Fr, State: s.count("State"), Since: s.day("StateAsOfDate"),
			}
			c, ok := committee(s.object("Committee"), in.chamber)
			if st.Committee = c.Acronym; ok {
				d.Committees = append(d.Committees, c)
			}
			st.Started = d.stage(s, Where{Chamber: in.chamber, Session: session, Stage: name}, c.Acronym)
			d.Stages = append(d.Stages, st)
		}
	}
	for _, in := range []struct{ name, chamber string }{
		{"HouseAdditionalInformation", "house"}, {"SenateAdditionalInformation", "senate"},
	} {
		if s := r.object(in.name); s != nil {
			d.stage(s, Where{Chamber: in.chamber, Session: session, Stage: s.names("BillStageName")}, "")
		}
	}
	for _, m := range r.list("InterChamberMessages") {
		on, at := m.moment("Date")
		d.Messages = append(d.Messages, Message{
			Where: Where{Chamber: m.chamber("ChamberOrganizationId"), Session: m.session()}, Name: m.names("EventName"),
			Date: on, At: at, Sitting: number(m, "MeetingNumber"),
		})
	}
	if s := r.object("RoyalAssent"); s != nil {
		// Royal assent has no state of its own. With a date it is completed.
		name := s.names("BillStageName")
		st := Stage{
			Chamber: "senate", NameEn: name.En, NameFr: name.Fr, State: 1, Since: s.day("LastStageEventStartDateTime"),
		}
		if st.Since != "" {
			st.State = 4
		}
		d.Stages = append(d.Stages, st)
		d.stage(s, Where{Chamber: "senate", Session: session, Stage: name}, "")
	}
}

// stage reads the entries of a stage and returns the day on which it began. It is long, because it has a short loop for
// each kind of entry.
func (d *Detail) stage(s fields, where Where, committee string) (started string) {
	where.Session = cmp.Or(s.session(), where.Session)
	begin := func(on string) {
		if on != "" && (started == "" || on < started) {
			started = on
		}
	}
	for _, o := range s.list("Sittings") {
		on := o.day("Date")
		begin(on)
		d.Sittings = append(d.Sittings, Sitting{
			Where: where, Name: o.names("Name"), Number: number(o, "Number"), Date: on, Note: o.both("AdditionalInformation"),
			Published: o.is("IsPublished"),
		})
	}
	for _, o := range s.list("SignificantEvents") {
		on, at := o.moment("EventDateTime")
		begin(on)
		e := Event{
			Where: where, Type: o.count("EventTypeId"), Name: o.names("EventName"), Date: on, At: at,
			Completes: o.is("IsCompletionOfBillStage"), Defeats: o.is("IsDefeatedEvent"),
			Report: o.count("CommitteeReportNumber"), Note: o.both("AdditionalInformation"),
		}
		if e.Report > 0 {
			e.Committee = committee
		}
		d.Events = append(d.Events, e)
	}
	for _, o := range s.list("Decisions") {
		d.Decisions = append(d.Decisions, Decision{
			Where: where, Motion: o.both("DecisionMotionTitle"), Result: result(o), Method: o.names("DecisionMethodName"),
			Division: o.count("DivisionNumber"),
			Date:     o.day("DecisionSittingDate"), Sitting: number(o, "DecisionSittingNumber"),
		})
		if n := o.count("DivisionNumber"); n > 0 { // else it was decided without a count
			motion := o.both("DecisionMotionTitle")
			v := tally(o, Vote{
				Number: n, Session: where.Session, Chamber: where.Chamber, StageEn: where.Stage.En, StageFr: where.Stage.Fr,
				MotionEn: motion.En, MotionFr: motion.Fr, Sitting: number(o, "DecisionSittingNumber"),
			})
			v.Date = o.day("DecisionSittingDate")
			d.Votes = append(d.Votes, v)
		}
	}
	for _, o := range s.list("Speeches") {
		on, at := o.moment("SpeechDateTime")
		there := where
		there.Session = cmp.Or(o.session(), where.Session)
		d.Speeches = append(d.Speeches, Speech{
			Where: there, Kind: o.names("EventTypeName"), Sponsor: o.count("EventTypeId") == sponsorsSpeech,
			Person: o.count("PersonId"), Name: o.words("PersonName", upstream.MaxName),
			Caucus: o.names("CaucusShortName"), Date: on, At: at, Sitting: number(o, "MeetingNumber"), URL: links(o),
		})
	}
	for _, o := range s.list("CommitteeMeetings") {
		d.Meetings = append(d.Meetings, Meeting{
			Where: where, Committee: o.names("CommitteeName"), Acronym: o.mark("CommitteeAcronym"), Number: number(o, "Number"),
			Date: o.day("Date"),
		})
	}
	return started
}

// sponsorsSpeech is LEGISinfo's number of a kind of event.
const sponsorsSpeech = 60152

// number reads a number that is an identifier, such as a sitting's. It returns "" for 0, which means unknown.
func number(f fields, name string) string {
	if s := f.mark(name); s != "0" {
		return s
	}
	return ""
}

// links reads an address in both languages.
func links(f fields) Bilingual {
	u := f.both("Url")
	return Bilingual{En: link(u.En), Fr: link(u.Fr)}
}

// link returns a web address, and "" for any other text.
func link(s string) string {
	lower := strings.ToLower(s)
	if !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") ||
		strings.ContainsAny(s, " \t\r\n\"<>\\") || len(s) > upstream.MaxText {
		return ""
	}
	if u, err := url.Parse(s); err != nil || u.Hostname() == "" || u.User != nil { // user@host is there to mislead
		return ""
	}
	return s
}

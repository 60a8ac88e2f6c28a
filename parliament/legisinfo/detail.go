package legisinfo

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// Reader is the version of ParseDetail. A record that an older one read lacks what it did not look for. It is read
// again where the record itself is held, and asked for once more elsewhere.
//
// 2: stages, votes in stages, publications. 3: all divisions, the sponsor's office and riding, reinstatement, the end,
// sittings, speeches, meetings, events, messages, rulings, references, notes. 4: the sponsor's person id.
const Reader = 4

// maxEntries bounds each list of a record, so that a broken one does not fill the database. The longest in the records
// of five sessions has 162.
const maxEntries = 1000

// Detail is what only a bill's own record has. docs/data.md lists the fields of the record and what becomes of each.
type Detail struct {
	ItemHash     string      `json:"item_hash"`        // of the list item when this was fetched
	Reader       int         `json:"reader,omitempty"` // which Reader made this
	ID           int         `json:"id"`
	SponsorName  string      `json:"sponsor_name,omitempty"` // without a title
	Government   bool        `json:"government"`
	Committees   []Committee `json:"committees,omitempty"`
	StatuteYear  int         `json:"statute_year,omitempty"`
	Statute      int         `json:"statute,omitempty"` // chapter
	RelatedBills []string    `json:"related_bills,omitempty"`
	SummaryEn    string      `json:"summary_en,omitempty"`
	SummaryFr    string      `json:"summary_fr,omitempty"`
	TextID       int         `json:"text_id,omitempty"` // of the latest publication
	Stages       []Stage     `json:"stages,omitempty"`  // the House's, the Senate's, royal assent
	Votes        []Vote      `json:"votes,omitempty"`   // recorded divisions, oldest first
	Publications []Text      `json:"publications,omitempty"`

	// Since Reader 3. Lists are oldest first and without repeats.
	SponsorHonorific Bilingual      `json:"sponsor_honorific,omitzero"` // "Hon."
	SponsorOffice    Bilingual      `json:"sponsor_office,omitzero"`    // "Minister of Finance"
	SponsorRiding    Bilingual      `json:"sponsor_riding,omitzero"`
	ReinstatedFrom   *Reinstatement `json:"reinstated_from,omitempty"`
	ReinstatedAs     *Reinstatement `json:"reinstated_as,omitempty"`
	SessionOngoing   *bool          `json:"session_ongoing,omitempty"` // when this was fetched; nil if it does not say
	Dropped          bool           `json:"dropped,omitempty"`         // from the Senate's Order Paper
	ProForma         bool           `json:"pro_forma,omitempty"`
	Form             Bilingual      `json:"form,omitzero"` // "Regular", "Appropriation", "Pro forma"
	Notes            Bilingual      `json:"notes,omitzero"`
	FullSummary      bool           `json:"full_summary,omitempty"` // the Library of Parliament wrote a legislative summary
	PreStudy         *Committee     `json:"pre_study,omitempty"`    // the Senate's committee that studied it before it came
	InPreStudy       bool           `json:"in_pre_study,omitempty"`
	Readings         []Reading      `json:"readings,omitempty"`
	Decisions        []Decision     `json:"decisions,omitempty"`
	Sittings         []Sitting      `json:"sittings,omitempty"`
	Events           []Event        `json:"events,omitempty"`
	LatestEvent      *Event         `json:"latest_event,omitempty"`
	Speeches         []Speech       `json:"speeches,omitempty"`
	Meetings         []Meeting      `json:"meetings,omitempty"`
	Messages         []Message      `json:"messages,omitempty"`
	Rulings          []Ruling       `json:"rulings,omitempty"`
	References       []Reference    `json:"references,omitempty"` // in the record's order
	Notices          []Notice       `json:"notices,omitempty"`    // in the record's order

	// Since Reader 4.
	SponsorID int `json:"sponsor_id,omitempty"` // parl.ca's person id

	// Raw is the record that was read, where it was just fetched. It is kept beside the bill, not in it.
	Raw []byte `json:"-"`
}

// Adopt takes from a newer reading of the same bill what an older Reader did not look for and a bill's versions show,
// so that it does not look like a change of the bill.
func (d *Detail) Adopt(newer *Detail) {
	if d.Reader < 3 && newer.Reader >= 3 {
		d.SponsorHonorific, d.SponsorOffice, d.SponsorRiding = newer.SponsorHonorific, newer.SponsorOffice, newer.SponsorRiding
	}
	if d.Reader < 4 && newer.Reader >= 4 {
		d.SponsorID = newer.SponsorID
	}
}

// Bilingual is a text in both languages, as the record has it; either may be empty.
type Bilingual struct {
	En string `json:"en,omitempty"`
	Fr string `json:"fr,omitempty"`
}

// Vote is a recorded division.
type Vote struct {
	Number      int    `json:"number"` // in its session
	Session     string `json:"session,omitempty"`
	Chamber     string `json:"chamber"`
	StageEn     string `json:"stage_en,omitempty"`
	StageFr     string `json:"stage_fr,omitempty"`
	MotionEn    string `json:"motion_en,omitempty"`
	MotionFr    string `json:"motion_fr,omitempty"`
	SubjectEn   string `json:"subject_en,omitempty"`
	SubjectFr   string `json:"subject_fr,omitempty"`
	Date        string `json:"date,omitempty"` // day in Ottawa
	At          string `json:"at,omitempty"`   // RFC 3339, Ottawa's offset; the record gives the sitting's opening
	Sitting     string `json:"sitting,omitempty"`
	Yeas        int    `json:"yeas"`
	Nays        int    `json:"nays"`
	Paired      int    `json:"paired,omitempty"`
	Abstentions int    `json:"abstentions,omitempty"`
	Total       int    `json:"total,omitempty"`
	Result      string `json:"result,omitempty"` // LEGISinfo's English: "Agreed To", "Negatived", "Tie"
}

// Text is a published version of the bill's text.
type Text struct {
	ID     int    `json:"id"`
	NameEn string `json:"name_en,omitempty"`
	NameFr string `json:"name_fr,omitempty"`
}

// Stage is one of a bill's course, reached or not.
type Stage struct {
	Chamber   string `json:"chamber"` // "house" or "senate"
	NameEn    string `json:"name_en,omitempty"`
	NameFr    string `json:"name_fr,omitempty"`
	State     int    `json:"state"`               // LEGISinfo's: 1 not reached, 2 no activity, 3 in progress, 4 completed, 5 not completed
	Since     string `json:"since,omitempty"`     // day in Ottawa
	Started   string `json:"started,omitempty"`   // day of the first sitting or event
	Committee string `json:"committee,omitempty"` // acronym
}

// Committee is one that a stage of the bill was before.
type Committee struct {
	Acronym string `json:"acronym"`
	Chamber string `json:"chamber"` // of the stage: "house" or "senate"
	NameEn  string `json:"name_en,omitempty"`
	NameFr  string `json:"name_fr,omitempty"`
}

// Reinstatement is the same bill in another session.
type Reinstatement struct {
	ID      int       `json:"id,omitempty"` // LEGISinfo's
	Number  string    `json:"number,omitempty"`
	Session string    `json:"session,omitempty"` // where the record tells it
	Next    bool      `json:"next,omitempty"`    // the record says that it is the session next to this bill's
	Status  Bilingual `json:"status,omitzero"`   // of the bill that was reinstated, at the end of its session
}

// Reading is a reading that the bill passed.
type Reading struct {
	Chamber string `json:"chamber"`
	Reading int    `json:"reading"` // 1, 2 or 3
	On      string `json:"on"`
}

// Where is the place in the bill's course that an entry belongs to.
type Where struct {
	Chamber string    `json:"chamber,omitempty"`
	Session string    `json:"session,omitempty"` // "44-1", where the record tells it
	Stage   Bilingual `json:"stage,omitzero"`
}

// Decision is what a chamber decided at a stage, by a division or without one.
type Decision struct {
	Where
	Motion   Bilingual `json:"motion,omitzero"`
	Result   string    `json:"result,omitempty"`
	Method   Bilingual `json:"method,omitzero"` // "On division", "By unanimous consent"
	Division int       `json:"division,omitempty"`
	Date     string    `json:"date,omitempty"`
	Sitting  string    `json:"sitting,omitempty"`
}

// Sitting is one at which the bill came up.
type Sitting struct {
	Where
	Name      Bilingual `json:"name,omitzero"` // "Debate at second reading"
	Number    string    `json:"number,omitempty"`
	Date      string    `json:"date,omitempty"`
	Note      Bilingual `json:"note,omitzero"`
	Published bool      `json:"published,omitempty"` // at ourcommons.ca
}

// Event is what happened to the bill.
type Event struct {
	Where
	Type       int       `json:"type,omitempty"` // LEGISinfo's number of the kind, e.g. NotProceededWith
	Name       Bilingual `json:"name,omitzero"`
	Date       string    `json:"date,omitempty"`
	At         string    `json:"at,omitempty"`
	Completes  bool      `json:"completes,omitempty"` // the stage
	Defeats    bool      `json:"defeats,omitempty"`   // the bill
	Committee  string    `json:"committee,omitempty"` // acronym
	Report     int       `json:"report,omitempty"`    // number of the committee's report
	Sitting    string    `json:"sitting,omitempty"`
	Amendments int       `json:"amendments,omitempty"`
	Note       Bilingual `json:"note,omitzero"`
}

// Kinds of events.
const (
	NotProceededWith = 60174
	DroppedFromPaper = 60147 // the Senate's Order Paper
)

// Speech is a major speech on the bill: the sponsor's, or a reply.
type Speech struct {
	Where
	Kind    Bilingual `json:"kind,omitzero"`
	Sponsor bool      `json:"sponsor,omitempty"`
	Person  int       `json:"person,omitempty"`
	Name    string    `json:"name,omitempty"`
	Caucus  Bilingual `json:"caucus,omitzero"`
	Date    string    `json:"date,omitempty"`
	At      string    `json:"at,omitempty"`
	Sitting string    `json:"sitting,omitempty"`
	URL     Bilingual `json:"url,omitzero"`
}

// Meeting is one of a committee about the bill.
type Meeting struct {
	Where
	Committee Bilingual `json:"committee,omitzero"`
	Acronym   string    `json:"acronym,omitempty"`
	Number    string    `json:"number,omitempty"`
	Date      string    `json:"date,omitempty"`
}

// Message is a step of the chambers' exchange about amendments; Where.Chamber is who took it.
type Message struct {
	Where
	Name    Bilingual `json:"name,omitzero"`
	Date    string    `json:"date,omitempty"`
	At      string    `json:"at,omitempty"`
	Sitting string    `json:"sitting,omitempty"`
}

// Ruling is one of a Speaker, or a statement.
type Ruling struct {
	Where
	Date    string    `json:"date,omitempty"`
	At      string    `json:"at,omitempty"`
	Sitting string    `json:"sitting,omitempty"`
	URL     Bilingual `json:"url,omitzero"`
}

// Reference is a page about the bill.
type Reference struct {
	Kind  Bilingual `json:"kind,omitzero"` // "Press Release"
	Title Bilingual `json:"title,omitzero"`
	URL   Bilingual `json:"url,omitzero"`
}

// Notice is an article or a book about the bill.
type Notice struct {
	Title          string `json:"title,omitempty"`
	Author         string `json:"author,omitempty"`
	Publication    string `json:"publication,omitempty"`
	Volume         string `json:"volume,omitempty"`
	Date           string `json:"date,omitempty"` // in words
	Classification string `json:"classification,omitempty"`
	Language       int    `json:"language,omitempty"` // LEGISinfo's: 1 English, 2 French
	Online         bool   `json:"online,omitempty"`
}

// ParseDetail reads a bill's own record. It is strict about what the record is, and lenient about all else: a part of
// an unexpected type is left out, and the rest stays.
func ParseDetail(raw []byte) (*Detail, error) {
	var identity struct {
		ID int `json:"Id"`
	}
	if err := json.Unmarshal(raw, &identity); err != nil {
		return nil, err
	}
	switch {
	case identity.ID <= 0:
		return nil, errors.New("no Id")
	case identity.ID > math.MaxInt32:
		return nil, fmt.Errorf("Id %d is none", identity.ID) //nolint:staticcheck // the field's name
	}
	r, err := record(raw)
	if err != nil {
		return nil, err
	}
	summary, publications := r.prose("ShortLegislativeSummary"), r.list("Publications")
	d := &Detail{
		ID: identity.ID, Reader: Reader, SponsorID: r.count("SponsorPersonId"), SponsorName: r.words("SponsorPersonName", upstream.MaxName), Government: government(r), SummaryEn: summary.En, SummaryFr: summary.Fr,
		SponsorHonorific: r.names("SponsorPersonShortHonorific"), SponsorOffice: office(r), SponsorRiding: r.names("SponsorConstituencyName"), Dropped: r.is("IsDroppedFromSenateOrderPaper"),
		ProForma: r.is("IsProForma"), Form: r.names("BillFormName"), Notes: r.prose("Notes"), FullSummary: r.is("IsFullLegislativeSummaryAvailable"), InPreStudy: r.is("IsInSenatePreStudy"),
	}
	if year, chapter := r.count("StatuteYear"), r.count("StatuteChapter"); year >= 1867 && year <= 9999 && chapter > 0 && chapter <= 99_999 {
		d.StatuteYear, d.Statute = year, chapter
	}
	if ongoing, ok := r.flag("IsSessionOngoing"); ok {
		d.SessionOngoing = &ongoing
	}
	if c, ok := committee(r.object("SenatePreStudyCommitteeDetails"), "senate"); ok {
		d.PreStudy = &c
	}
	if n := len(publications); n > 0 {
		d.TextID = publications[n-1].count("PublicationId")
	}
	for _, p := range publications {
		if id := p.count("PublicationId"); id > 0 {
			name := p.names("PublicationTypeName")
			d.Publications = append(d.Publications, Text{ID: id, NameEn: name.En, NameFr: name.Fr})
		}
	}
	for _, b := range r.list("SimilarBills") {
		if number, session := b.mark("NumberCode"), b.session(); number != "" && session != "" {
			d.RelatedBills = append(d.RelatedBills, session+"/"+number)
		}
	}
	d.readings(r)
	d.reinstatement(r)
	d.stages(r.object("BillStages"), r.session())
	d.votes(r)
	d.references(r)
	d.tidy()
	if length, err := json.Marshal(d); err != nil || len(length) > upstream.MaxRecord {
		return nil, errors.Join(err, fmt.Errorf("it says more than %d bytes can hold", upstream.MaxRecord))
	}
	return d, nil
}

// government says whether the bill is the government's. The bill's type tells it too.
func government(r fields) bool {
	if is, ok := r.flag("IsGovernmentBill"); ok {
		return is
	}
	return strings.Contains(r.text("BillDocumentTypeNameEn"), "Government Bill")
}

// office is what the sponsor is, such as a minister. The role is a coarser word for it, and an internal one for some.
func office(r fields) Bilingual {
	title, role := r.names("SponsorAffiliationTitle"), r.names("SponsorAffiliationRoleName")
	if title != (Bilingual{}) || role.En == "HansardDisplay" {
		return title
	}
	return role
}

func committee(f fields, chamber string) (c Committee, ok bool) {
	name := f.names("CommitteeName")
	c = Committee{Acronym: f.mark("CommitteeAcronym"), Chamber: chamber, NameEn: name.En, NameFr: name.Fr}
	return c, c.Acronym != "" || c.NameEn != ""
}

func (d *Detail) readings(r fields) {
	for _, in := range []struct {
		name, chamber string
		reading       int
	}{
		{"PassedHouseFirstReadingDateTime", "house", 1}, {"PassedHouseSecondReadingDateTime", "house", 2}, {"PassedHouseThirdReadingDateTime", "house", 3},
		{"PassedSenateFirstReadingDateTime", "senate", 1}, {"PassedSenateSecondReadingDateTime", "senate", 2}, {"PassedSenateThirdReadingDateTime", "senate", 3},
	} {
		if on := r.day(in.name); on != "" {
			d.Readings = append(d.Readings, Reading{Chamber: in.chamber, Reading: in.reading, On: on})
		}
	}
	// What began in the Senate passed there first, on the same day too.
	senate := r.is("IsSenateBill")
	slices.SortStableFunc(d.Readings, func(a, b Reading) int {
		return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(order(a.Chamber, senate), order(b.Chamber, senate)), cmp.Compare(a.Reading, b.Reading))
	})
}

func order(chamber string, senateFirst bool) int {
	if (chamber == "senate") == senateFirst {
		return 0
	}
	return 1
}

// reinstatement reads from which bill this one came, and as which one it went on. The record tells their sessions only
// where it lists them as similar bills.
func (d *Detail) reinstatement(r fields) {
	similar := map[int]fields{}
	for _, b := range r.list("SimilarBills") {
		similar[b.count("Id")] = b
	}
	other := func(kind, flag string) *Reinstatement {
		o := &Reinstatement{ID: r.count(kind + "BillDocumentId"), Number: r.mark(kind + "BillNumberCode"), Next: r.is(flag)}
		if o.ID == 0 && o.Number == "" {
			return nil
		}
		if b := similar[o.ID]; o.ID > 0 && b != nil {
			o.Session, o.Status = b.session(), b.names("StatusName")
			o.Number = cmp.Or(o.Number, b.mark("NumberCode"))
		}
		return o
	}
	d.ReinstatedFrom = other("ReinstatedFrom", "DidReinstateFromPreviousSession")
	if d.ReinstatedAs = other("ReinstatedAs", "DidReinstateInNextSession"); d.ReinstatedAs != nil {
		d.ReinstatedAs.Status = r.names("StatusName") // this bill is the one that was reinstated
	}
}

// stages reads the course; there is none before the 37th Parliament.
func (d *Detail) stages(r fields, session string) {
	// The record's own flags call Senate committees House ones; the stage's chamber is right.
	for _, in := range []struct{ name, chamber string }{{"HouseBillStages", "house"}, {"SenateBillStages", "senate"}} {
		for _, s := range r.list(in.name) {
			name := s.names("BillStageName")
			st := Stage{Chamber: in.chamber, NameEn: name.En, NameFr: name.Fr, State: s.count("State"), Since: s.day("StateAsOfDate")}
			c, ok := committee(s.object("Committee"), in.chamber)
			if st.Committee = c.Acronym; ok {
				d.Committees = append(d.Committees, c)
			}
			st.Started = d.stage(s, Where{Chamber: in.chamber, Session: session, Stage: name}, c.Acronym)
			d.Stages = append(d.Stages, st)
		}
	}
	for _, in := range []struct{ name, chamber string }{{"HouseAdditionalInformation", "house"}, {"SenateAdditionalInformation", "senate"}} {
		if s := r.object(in.name); s != nil {
			d.stage(s, Where{Chamber: in.chamber, Session: session, Stage: s.names("BillStageName")}, "")
		}
	}
	for _, m := range r.list("InterChamberMessages") {
		on, at := m.moment("Date")
		d.Messages = append(d.Messages, Message{Where: Where{Chamber: m.chamber("ChamberOrganizationId"), Session: m.session()}, Name: m.names("EventName"), Date: on, At: at, Sitting: number(m, "MeetingNumber")})
	}
	if s := r.object("RoyalAssent"); s != nil {
		// Royal assent has no state of its own: once it is there, it is complete.
		name := s.names("BillStageName")
		st := Stage{Chamber: "senate", NameEn: name.En, NameFr: name.Fr, State: 1, Since: s.day("LastStageEventStartDateTime")}
		if st.Since != "" {
			st.State = 4
		}
		d.Stages = append(d.Stages, st)
		d.stage(s, Where{Chamber: "senate", Session: session, Stage: name}, "")
	}
}

// stage reads what happened at a stage, and gives the day on which that began.
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
		d.Sittings = append(d.Sittings, Sitting{Where: where, Name: o.names("Name"), Number: number(o, "Number"), Date: on, Note: o.both("AdditionalInformation"), Published: o.is("IsPublished")})
	}
	for _, o := range s.list("SignificantEvents") {
		on, at := o.moment("EventDateTime")
		begin(on)
		e := Event{Where: where, Type: o.count("EventTypeId"), Name: o.names("EventName"), Date: on, At: at, Completes: o.is("IsCompletionOfBillStage"), Defeats: o.is("IsDefeatedEvent"), Report: o.count("CommitteeReportNumber"), Note: o.both("AdditionalInformation")}
		if e.Report > 0 {
			e.Committee = committee
		}
		d.Events = append(d.Events, e)
	}
	for _, o := range s.list("Decisions") {
		d.Decisions = append(d.Decisions, Decision{
			Where: where, Motion: o.both("DecisionMotionTitle"), Result: result(o), Method: o.names("DecisionMethodName"), Division: o.count("DivisionNumber"),
			Date: o.day("DecisionSittingDate"), Sitting: number(o, "DecisionSittingNumber"),
		})
		if n := o.count("DivisionNumber"); n > 0 { // else it was decided without a count
			motion := o.both("DecisionMotionTitle")
			v := tally(o, Vote{Number: n, Session: where.Session, Chamber: where.Chamber, StageEn: where.Stage.En, StageFr: where.Stage.Fr, MotionEn: motion.En, MotionFr: motion.Fr, Sitting: number(o, "DecisionSittingNumber")})
			v.Date = o.day("DecisionSittingDate")
			d.Votes = append(d.Votes, v)
		}
	}
	for _, o := range s.list("Speeches") {
		on, at := o.moment("SpeechDateTime")
		there := where
		there.Session = cmp.Or(o.session(), where.Session)
		d.Speeches = append(d.Speeches, Speech{
			Where: there, Kind: o.names("EventTypeName"), Sponsor: o.count("EventTypeId") == sponsorsSpeech, Person: o.count("PersonId"), Name: o.words("PersonName", upstream.MaxName),
			Caucus: o.names("CaucusShortName"), Date: on, At: at, Sitting: number(o, "MeetingNumber"), URL: links(o),
		})
	}
	for _, o := range s.list("CommitteeMeetings") {
		d.Meetings = append(d.Meetings, Meeting{Where: where, Committee: o.names("CommitteeName"), Acronym: o.mark("CommitteeAcronym"), Number: number(o, "Number"), Date: o.day("Date")})
	}
	return started
}

// sponsorsSpeech is LEGISinfo's number of a kind of event.
const sponsorsSpeech = 60152

// number reads a number that is a name, such as a sitting's; empty for 0, which means that it is not known.
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

// link keeps addresses of the web; others are not for a page to link to.
func link(s string) string {
	lower := strings.ToLower(s)
	if !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") || strings.ContainsAny(s, " \t\r\n\"<>\\") || len(s) > upstream.MaxText {
		return ""
	}
	if u, err := url.Parse(s); err != nil || u.Hostname() == "" || u.User != nil { // user@host is there to mislead
		return ""
	}
	return s
}

// results are LEGISinfo's numbers of results.
var results = map[int]string{15: "Agreed To", 16: "Negatived", 17: "Tie"}

// result reads a result: its name or, where that is missing, what else says the same.
func result(f fields) string {
	switch name := f.words("DecisionResultNameEn", upstream.MaxName); {
	case name != "":
		return name
	case f.is("IsTied"):
		return "Tie"
	case f.is("IsAgreedTo"):
		return "Agreed To"
	case f.is("IsNegatived"):
		return "Negatived"
	}
	return results[f.count("DecisionResultId")]
}

// tally reads the counts of a division into v.
func tally(f fields, v Vote) Vote {
	v.Yeas, v.Nays, v.Paired, v.Result = f.count("DivisionVotesYeas"), f.count("DivisionVotesNays"), f.count("DivisionVotePaired"), result(f)
	for _, name := range []string{"DivisionVotesAbstentions", "DivisionVoteAbstentions", "DivisionVotesAbstained"} {
		v.Abstentions = cmp.Or(v.Abstentions, f.count(name))
	}
	v.Total = cmp.Or(f.count("DivisionVoteTotal"), v.Yeas+v.Nays+v.Paired+v.Abstentions)
	return v
}

// votes puts the divisions together. The record's own list has each of the House's once, with its subject; the stages
// have those on their own motions, at two stages if it is one on closure. The list has the counts: a tie that the
// Speaker broke is agreed to at its stage.
func (d *Detail) votes(r fields) {
	type key struct {
		chamber, session string
		number           int
	}
	own := r.session()
	byKey := map[key]int{}
	var all []Vote
	add := func(v Vote) *Vote {
		v.Session = cmp.Or(v.Session, own)
		k := key{v.Chamber, v.Session, v.Number}
		if i, ok := byKey[k]; ok {
			return &all[i]
		}
		byKey[k] = len(all)
		all = append(all, v)
		return nil
	}
	for _, in := range []struct{ name, chamber string }{{"HouseVoteDetails", "house"}, {"SenateVoteDetails", "senate"}} {
		for _, o := range r.list(in.name) {
			n := o.count("DivisionNumber")
			if n == 0 {
				continue
			}
			subject := o.both("DivisionSubject")
			v := tally(o, Vote{Number: n, Session: o.session(), Chamber: in.chamber, SubjectEn: subject.En, SubjectFr: subject.Fr})
			v.Date, v.At = o.moment("DecisionDateTime")
			add(v)
		}
	}
	for _, v := range d.Votes {
		if held := add(v); held != nil {
			held.StageEn, held.StageFr = cmp.Or(held.StageEn, v.StageEn), cmp.Or(held.StageFr, v.StageFr)
			held.MotionEn, held.MotionFr = cmp.Or(held.MotionEn, v.MotionEn), cmp.Or(held.MotionFr, v.MotionFr)
			held.Sitting, held.Date, held.Result = cmp.Or(held.Sitting, v.Sitting), cmp.Or(held.Date, v.Date), cmp.Or(held.Result, v.Result)
		}
	}
	for i := range all {
		v := &all[i]
		if v.Sitting == "" {
			v.Sitting = d.sittingOn(v.Chamber, v.Session, v.Date)
		}
		if v.Session == own {
			v.Session = ""
		}
	}
	d.Votes = all
}

// sittingOn gives the number of a chamber's sitting of a day, if the record knows of just one.
func (d *Detail) sittingOn(chamber, session, day string) string {
	found := ""
	see := func(w Where, date, number string) bool {
		if w.Chamber != chamber || w.Session != session || date != day || date == "" || number == "" {
			return true
		}
		if found != "" && found != number {
			found = ""
			return false
		}
		found = number
		return true
	}
	for _, s := range d.Sittings {
		if !see(s.Where, s.Date, s.Number) {
			return ""
		}
	}
	for _, s := range d.Decisions {
		if !see(s.Where, s.Date, s.Sitting) {
			return ""
		}
	}
	return found
}

// references reads what is about the bill, and what was said of it outside of its stages.
func (d *Detail) references(r fields) {
	for _, in := range []struct{ name, chamber string }{{"HouseRulingAndStatements", "house"}, {"SenateRulingAndStatements", "senate"}} {
		for _, o := range r.list(in.name) {
			on, at := o.moment("RulingStatementDateTime")
			d.Rulings = append(d.Rulings, Ruling{Where: Where{Chamber: in.chamber, Session: cmp.Or(o.session(), r.session())}, Date: on, At: at, Sitting: number(o, "MeetingNumber"), URL: links(o)})
		}
	}
	for _, o := range r.list("WebReferences") {
		ref := Reference{Kind: o.names("WebReferenceTypeName"), Title: o.both("Title"), URL: links(o)}
		if ref.Title != (Bilingual{}) || ref.URL != (Bilingual{}) {
			d.References = append(d.References, ref)
		}
	}
	for _, o := range r.list("BibliographicNotices") {
		n := Notice{
			Title: o.text("Title"), Author: o.words("Author", upstream.MaxName), Publication: o.words("Publication", upstream.MaxName), Volume: o.words("VolumePage", upstream.MaxName), Date: o.words("PublicationDate", upstream.MaxName),
			Classification: o.words("Classification", upstream.MaxName), Language: o.count("LanguageId"), Online: o.is("IsOnlineVersionAvailable"),
		}
		if n.Title != "" {
			d.Notices = append(d.Notices, n)
		}
	}
	if name := r.names("LatestBillEventTypeName"); name != (Bilingual{}) {
		on, at := r.moment("LatestBillEventDateTime")
		d.LatestEvent = &Event{
			Type: r.count("LatestBillEventEventTypeId"), Where: Where{Chamber: r.chamber("LatestBillEventChamberOrganizationId")}, Name: name, Date: on, At: at, Committee: r.object("LatestBillEventCommitteeDetails").mark("CommitteeAcronym"),
			Sitting: number(r, "LatestBillEventMeetingNumber"), Amendments: r.count("LatestBillEventNumberOfAmendments"), Note: r.both("LatestBillEventAdditionalInformation"),
		}
	}
}

// tidy sorts the lists, oldest first, and takes out repeats and entries that say nothing. What is of the same day keeps
// the record's order, and what has no date is last.
func (d *Detail) tidy() {
	none := Bilingual{}
	d.Decisions = slices.DeleteFunc(d.Decisions, func(o Decision) bool { return o.Motion == none && o.Result == "" && o.Division == 0 })
	d.Sittings = slices.DeleteFunc(d.Sittings, func(o Sitting) bool { return o.Name == none && o.Number == "" && o.Date == "" })
	d.Events = slices.DeleteFunc(d.Events, func(o Event) bool { return o.Name == none && o.Date == "" })
	d.Speeches = slices.DeleteFunc(d.Speeches, func(o Speech) bool { return o.Name == "" && o.Person == 0 })
	d.Meetings = slices.DeleteFunc(d.Meetings, func(o Meeting) bool { return o.Acronym == "" && o.Committee == none })
	d.Messages = slices.DeleteFunc(d.Messages, func(o Message) bool { return o.Name == none })
	d.Rulings = slices.DeleteFunc(d.Rulings, func(o Ruling) bool { return o.Date == "" && o.Sitting == "" && o.URL == none })
	d.Votes = tidied(d.Votes, func(v Vote) []string { return []string{v.Date, v.Session, v.Chamber, fmt.Sprintf("%08d", v.Number)} })
	d.Decisions = tidied(d.Decisions, func(o Decision) []string { return []string{o.Date, fmt.Sprintf("%08d", o.Division)} })
	d.Sittings = tidied(d.Sittings, func(o Sitting) []string { return []string{o.Date} })
	d.Events = tidied(d.Events, func(o Event) []string { return []string{o.Date} })
	d.Speeches = tidied(d.Speeches, func(o Speech) []string { return []string{o.Date, o.At} })
	d.Meetings = tidied(d.Meetings, func(o Meeting) []string {
		return []string{o.Date, o.Chamber, o.Acronym, fmt.Sprintf("%8s", o.Number)}
	})
	d.Messages = tidied(d.Messages, func(o Message) []string { return []string{o.Date, o.At} })
	d.Rulings = tidied(d.Rulings, func(o Ruling) []string { return []string{o.Date, o.At} })
	d.References = tidied(d.References, func(Reference) []string { return nil })
	d.Notices = tidied(d.Notices, func(Notice) []string { return nil })
}

// tidied bounds a list, sorts it by its keys, of which the first is a day, and takes repeats out.
func tidied[T comparable](list []T, keys func(T) []string) []T {
	seen := map[T]bool{}
	var out []T
	for _, e := range list {
		if !seen[e] && len(out) < maxEntries {
			seen[e] = true
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b T) int {
		x, y := keys(a), keys(b)
		if len(x) > 0 && (x[0] == "") != (y[0] == "") {
			return cmp.Compare(y[0], x[0])
		}
		return slices.Compare(x, y)
	})
	return out
}

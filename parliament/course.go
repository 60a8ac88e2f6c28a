package parliament

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// Course is a bill's course through Parliament: its stages, votes and debates, its outcome, and publications about it.
// Lists are oldest first. They are empty until LEGISinfo's record of the bill has been fetched.
type Course struct {
	// Complete reports whether LEGISinfo's whole record was read, and matches the bill's current item in LEGISinfo's list.
	// Until then, divisions and other parts may be missing.
	Complete        bool
	RecordFetchedAt *time.Time // when the stored record was fetched; nil if there is none

	Stages       []Stage // first the chamber where it began, then the other one, then royal assent
	Votes        []Vote
	Publications []Publication

	Outcome        *Outcome       // nil while it is unknown
	ReinstatedFrom *Reinstatement // the same bill in an earlier session
	ReinstatedAs   *Reinstatement // the same bill in a later session
	Form           Bilingual      // "Regular", "Appropriation", "Pro forma"
	Notes          Bilingual      // sanitised HTML
	Readings       []Reading
	Decisions      []Decision
	Sittings       []Sitting
	Events         []Event
	LatestEvent    *Event
	Speeches       []Speech
	Meetings       []Meeting
	Messages       []Message
	Rulings        []Ruling
	References     []Reference // in the record's order
	Bibliography   []Notice    // in the record's order
	PreStudy       *PreStudy
	SummaryURL     *Bilingual // the Library of Parliament's legislative summary; nil if there is none
}

// Vote is a recorded division on a bill.
// source: LEGISinfo detail, fields HouseVoteDetails and BillStages.*.Decisions
type Vote struct {
	Number             int // in its session
	Chamber            string
	Stage, Motion      Bilingual // where it was on a motion of a stage
	Subject            Bilingual
	Date, Sitting      *string
	At                 *string // RFC 3339: when the sitting opened
	Yeas, Nays, Paired int
	Abstentions        int
	Total              int
	Result             string // "agreed_to", "negatived", "tie" or "unknown"
	URL                string
}

// Publication is a published version of a bill's text.
type Publication struct {
	ID   int
	Name Bilingual
	URL  string
}

// Reinstatement refers to the same bill in another session.
type Reinstatement struct {
	Bill         *string // its id; nil where its session is not known
	Session      *string
	Number       *string
	LegisinfoID  *int
	LegisinfoURL *string
	Held         bool      // it is stored
	Status       Bilingual // of the bill that was reinstated, at the end of its session
}

// Reading is a reading that the bill passed.
type Reading struct {
	Chamber, Reading, PassedOn string // "house", "second", "2022-05-12"
}

// Decision is a decision of a chamber at a stage, taken by a division or without one.
type Decision struct {
	Chamber       string
	Stage, Motion Bilingual
	Result        string // as of a Vote
	Method        Bilingual
	Division      *int
	Date, Sitting *string
}

// Sitting is a sitting at which the bill came up.
type Sitting struct {
	Chamber      string
	Stage, Name  Bilingual
	Number, Date *string
	Note         Bilingual
	URL          Bilingual // the debates of that sitting
}

// Event is an event in the bill's course.
type Event struct {
	Chamber            *string
	Stage, Name        Bilingual
	Date, At           *string
	Completes, Defeats bool // the stage; the bill
	Committee          *string
	Report             *int // number of the committee's report
	ReportURL          Bilingual
	Sitting            *string
	Amendments         int
	Note               Bilingual
}

// Speech is a major speech on the bill.
type Speech struct {
	Chamber           string
	Stage, Kind       Bilingual
	Sponsor           bool // it is the sponsor's; else it is a reply
	PersonID          *int
	Name, Politician  *string
	Caucus            Bilingual
	Date, At, Sitting *string
	URL               Bilingual
}

// Meeting is a committee meeting about the bill.
type Meeting struct {
	Chamber          string
	Stage, Committee Bilingual
	Acronym          *string
	Number, Date     *string
	URL              *string
}

// Message is a message between the chambers about amendments.
type Message struct {
	Chamber           *string // the chamber that acted
	Name              Bilingual
	Date, At, Sitting *string
	URL               Bilingual
}

// Ruling is a ruling or a statement of a Speaker.
type Ruling struct {
	Chamber           string
	Date, At, Sitting *string
	URL               Bilingual
}

// Reference is a web page about the bill.
type Reference struct{ Kind, Title, URL Bilingual }

// Notice is the bibliographic notice of an article or a book about the bill.
type Notice struct {
	Title, Author, Publication, Volume, Date, Classification *string
	Language                                                 *string // "en" or "fr"
	Online                                                   bool
}

// PreStudy is the Senate's study of a bill that is still in the House.
type PreStudy struct {
	InProgress bool
	Committee  *string // acronym
	Name       Bilingual
}

// Course returns the course of a bill; ErrNotFound if the bill is not stored.
func (s *Store) Course(ctx context.Context, id BillID) (*Course, error) {
	row, err := s.bill(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.courseOfRow(ctx, id, row)
}

// BillWithCourse returns a bill and its course; ErrNotFound if the bill is not stored.
func (s *Store) BillWithCourse(ctx context.Context, id BillID) (*StoredBill, *Course, error) {
	row, err := s.bill(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	bills, err := s.stored(ctx, []sql.Bill{row})
	if err != nil {
		return nil, nil, err
	}
	course, err := s.courseOfRow(ctx, id, row)
	return &bills[0], course, err
}

func (s *Store) courseOfRow(ctx context.Context, id BillID, row sql.Bill) (*Course, error) {
	var parts SourceRecords
	if err := json.Unmarshal(row.Parts, &parts); err != nil {
		return nil, fmt.Errorf("parts of bill %s: %w", id, err)
	}
	held := map[string]SourceRecords{row.ID: parts}
	if err := reread(ctx, s.q, held); err != nil {
		return nil, err
	}
	parts = held[row.ID]
	c := courseOf(id, parts)
	switch at, err := s.q.BillRecordFetchedAt(ctx, row.ID); {
	case err == nil:
		c.RecordFetchedAt = &at
	case !errors.Is(err, pgx.ErrNoRows):
		return nil, err
	}
	if err := s.linkSpeakers(ctx, c); err != nil {
		return nil, err
	}
	if err := s.reinstatements(ctx, id, parts, c); err != nil {
		return nil, err
	}
	over, err := s.q.LaterSessionHeld(ctx, sql.LaterSessionHeldParams{Parliament: row.Parliament, Session: row.Session})
	if err != nil {
		return nil, err
	}
	c.Outcome = outcomeOf(id, parts, c, over)
	return c, nil
}

// linkSpeakers sets the politicians who made speeches.
func (s *Store) linkSpeakers(ctx context.Context, c *Course) error {
	var people []int64
	for _, o := range c.Speeches {
		if o.PersonID != nil {
			people = append(people, int64(*o.PersonID))
		}
	}
	if len(people) == 0 {
		return nil
	}
	rows, err := s.q.SlugsOfPeople(ctx, people)
	if err != nil {
		return err
	}
	known := map[int]string{}
	for _, r := range rows {
		known[int(r.PersonID)] = r.Slug
	}
	for i, o := range c.Speeches {
		if o.PersonID != nil {
			c.Speeches[i].Politician = optional(known[*o.PersonID])
		}
	}
	return nil
}

// voteResults maps LEGISinfo's words, in lower case, to results.
// source: LEGISinfo detail, DecisionResultNameEn of HouseVoteDetails and of BillStages.*.Decisions
var voteResults = map[string]string{
	"agreed to": "agreed_to", "adopted": "agreed_to", "negatived": "negatived", "defeated": "negatived", "tie": "tie",
	"tied": "tie",
}

func voteResult(words string) string { return cmp.Or(voteResults[strings.ToLower(words)], "unknown") }

func courseOf(id BillID, p SourceRecords) *Course {
	c := &Course{
		Complete: p.Enriched(), Stages: stagesOf(id, p), Votes: []Vote{}, Publications: []Publication{},
		Readings: []Reading{}, Decisions: []Decision{}, Sittings: []Sitting{}, Events: []Event{},
		Speeches: []Speech{}, Meetings: []Meeting{}, Messages: []Message{}, Rulings: []Ruling{}, References: []Reference{},
		Bibliography: []Notice{},
	}
	d := p.Detail
	if d == nil {
		return c
	}
	c.Form, c.Notes = plain(d.Form), Bilingual{En: cleanHTML(d.Notes.En), Fr: cleanHTML(d.Notes.Fr)}
	for _, v := range d.Votes {
		c.Votes = append(c.Votes, Vote{
			Number: v.Number, Chamber: v.Chamber, Stage: Bilingual{En: plainText(v.StageEn), Fr: plainText(v.StageFr)},
			Motion:  Bilingual{En: plainText(v.MotionEn), Fr: plainText(v.MotionFr)},
			Subject: Bilingual{En: plainText(v.SubjectEn), Fr: plainText(v.SubjectFr)}, Date: dayOf(v.Date), At: momentOf(v.At),
			Sitting: mark(v.Sitting), Yeas: v.Yeas, Nays: v.Nays, Paired: v.Paired,
			Abstentions: v.Abstentions, Total: cmp.Or(v.Total, v.Yeas+v.Nays+v.Paired), Result: voteResult(v.Result),
			URL: voteURL(v.Chamber, cmp.Or(v.Session, id.SessionCode()), v.Number),
		})
	}
	for _, t := range d.Publications {
		c.Publications = append(c.Publications, Publication{
			ID: t.ID, Name: Bilingual{En: plainText(t.NameEn), Fr: plainText(t.NameFr)},
			URL: fmt.Sprintf("https://www.parl.ca/DocumentViewer/en/%d", t.ID),
		})
	}
	for _, o := range d.Readings {
		if name := map[int]string{1: "first", 2: "second", 3: "third"}[o.Reading]; name != "" {
			c.Readings = append(c.Readings, Reading{Chamber: o.Chamber, Reading: name, PassedOn: o.On})
		}
	}
	c.happenings(id, d)
	c.literature(id, d)
	return c
}

// happenings sets what the record says about decisions, sittings, events, speeches, meetings, messages and rulings. It
// is long, because it has a short loop for each of them.
func (c *Course) happenings(id BillID, d *legisinfo.Detail) {
	session := func(w legisinfo.Where) string { return cmp.Or(w.Session, id.SessionCode()) }
	for _, o := range d.Decisions {
		e := Decision{
			Chamber: o.Chamber, Stage: plain(o.Stage), Motion: plain(o.Motion), Result: voteResult(o.Result),
			Method: plain(o.Method), Date: dayOf(o.Date), Sitting: mark(o.Sitting),
		}
		if n := o.Division; n > 0 {
			e.Division = &n
		}
		c.Decisions = append(c.Decisions, e)
	}
	for _, o := range d.Sittings {
		e := Sitting{
			Chamber: o.Chamber, Stage: plain(o.Stage), Name: plain(o.Name), Number: mark(o.Number), Date: dayOf(o.Date),
			Note: plain(o.Note),
		}
		if o.Published || o.Chamber == "senate" {
			e.URL = debatesURL(o.Chamber, session(o.Where), o.Number, o.Date)
		}
		c.Sittings = append(c.Sittings, e)
	}
	for _, o := range d.Events {
		c.Events = append(c.Events, event(o, session(o.Where)))
	}
	if o := d.LatestEvent; o != nil {
		e := event(*o, session(o.Where))
		c.LatestEvent = &e
	}
	for _, o := range d.Speeches {
		e := Speech{
			Chamber: o.Chamber, Stage: plain(o.Stage), Kind: plain(o.Kind), Sponsor: o.Sponsor, Name: plainText(o.Name),
			Caucus: plain(o.Caucus), Date: dayOf(o.Date), At: momentOf(o.At),
			Sitting: mark(o.Sitting), URL: Bilingual{En: optional(o.URL.En), Fr: optional(o.URL.Fr)},
		}
		if n := o.Person; n > 0 {
			e.PersonID = &n
		}
		if e.URL == (Bilingual{}) {
			e.URL = debatesURL(o.Chamber, session(o.Where), o.Sitting, o.Date)
		}
		c.Speeches = append(c.Speeches, e)
	}
	for _, o := range d.Meetings {
		c.Meetings = append(c.Meetings, Meeting{
			Chamber: o.Chamber, Stage: plain(o.Stage), Committee: plain(o.Committee), Acronym: mark(o.Acronym),
			Number: mark(o.Number), Date: dayOf(o.Date),
			URL: meetingURL(o.Chamber, session(o.Where), o.Acronym, o.Number),
		})
	}
	for _, o := range d.Messages {
		c.Messages = append(c.Messages, Message{
			Chamber: optional(o.Chamber), Name: plain(o.Name), Date: dayOf(o.Date), At: momentOf(o.At), Sitting: mark(o.Sitting),
			URL: debatesURL(o.Chamber, session(o.Where), o.Sitting, o.Date),
		})
	}
	for _, o := range d.Rulings {
		e := Ruling{
			Chamber: o.Chamber, Date: dayOf(o.Date), At: momentOf(o.At), Sitting: mark(o.Sitting),
			URL: Bilingual{En: optional(o.URL.En), Fr: optional(o.URL.Fr)},
		}
		if e.URL == (Bilingual{}) {
			e.URL = debatesURL(o.Chamber, session(o.Where), o.Sitting, o.Date)
		}
		c.Rulings = append(c.Rulings, e)
	}
}

func event(o legisinfo.Event, session string) Event {
	e := Event{
		Chamber: optional(o.Chamber), Stage: plain(o.Stage), Name: plain(o.Name), Date: dayOf(o.Date), At: momentOf(o.At),
		Completes: o.Completes, Defeats: o.Defeats,
		Committee: mark(o.Committee), Sitting: mark(o.Sitting), Amendments: o.Amendments, Note: plain(o.Note),
	}
	if n := o.Report; n > 0 {
		e.Report, e.ReportURL = &n, reportURL(o.Chamber, session, o.Committee, n)
	}
	return e
}

// literature sets what the record says about publications: references, notices, the pre-study and the summary.
func (c *Course) literature(id BillID, d *legisinfo.Detail) {
	for _, o := range d.References {
		c.References = append(c.References, Reference{
			Kind: plain(o.Kind), Title: plain(o.Title), URL: Bilingual{En: optional(o.URL.En), Fr: optional(o.URL.Fr)},
		})
	}
	for _, o := range d.Notices {
		e := Notice{
			Title: plainText(o.Title), Author: plainText(o.Author), Publication: plainText(o.Publication),
			Volume: plainText(o.Volume), Date: plainText(o.Date), Classification: plainText(o.Classification), Online: o.Online,
		}
		e.Language = optional(map[int]string{1: "en", 2: "fr"}[o.Language])
		c.Bibliography = append(c.Bibliography, e)
	}
	if d.PreStudy != nil || d.InPreStudy {
		c.PreStudy = &PreStudy{InProgress: d.InPreStudy}
		if o := d.PreStudy; o != nil {
			c.PreStudy.Committee, c.PreStudy.Name = mark(o.Acronym), Bilingual{En: plainText(o.NameEn), Fr: plainText(o.NameFr)}
		}
	}
	if d.FullSummary {
		code := strings.ReplaceAll(id.SessionCode(), "-", "") + id.Prefix + strconv.Itoa(id.Digits) + id.Suffix + "E"
		const at = "https://lop.parl.ca/sites/PublicWebsite/default/%s_CA/ResearchPublications/LegislativeSummaries/%s"
		c.SummaryURL = &Bilingual{En: optional(fmt.Sprintf(at, "en", code)), Fr: optional(fmt.Sprintf(at, "fr", code))}
	}
}

// voteURL returns the address of a division's page. The Senate identifies its pages by ids that the record does not
// have, so its divisions have the address of the list.
func voteURL(chamber, session string, number int) string {
	if chamber == "senate" {
		return "https://sencanada.ca/en/in-the-chamber/votes/"
	}
	return fmt.Sprintf("https://www.ourcommons.ca/members/en/votes/%s/%d", strings.ReplaceAll(session, "-", "/"), number)
}

var (
	sittingNumber    = regexp.MustCompile(`^[1-9]\d{0,3}$`)
	committeeAcronym = regexp.MustCompile(`^[A-Z][A-Z0-9]{2,4}$`)
)

// debatesURL returns the addresses of a sitting's debates; empty if they are unknown. The Senate's addresses have this
// form since the 41st Parliament.
func debatesURL(chamber, session, number, date string) Bilingual {
	p, s, err := ParseSession(session)
	if err != nil || !sittingNumber.MatchString(number) {
		return Bilingual{}
	}
	switch {
	case chamber == "house":
		return Bilingual{
			En: optional(fmt.Sprintf(
				"https://www.ourcommons.ca/DocumentViewer/en/%s/house/sitting-%s/hansard", session, number,
			)),
			Fr: optional(fmt.Sprintf(
				"https://www.noscommunes.ca/DocumentViewer/fr/%s/chambre/seance-%s/debats", session, number,
			)),
		}
	case chamber == "senate" && p >= 41 && date != "":
		n, _ := strconv.Atoi(number)
		at := func(language, letter string) *string {
			return optional(fmt.Sprintf(
				"https://sencanada.ca/%s/content/sen/chamber/%d%d/debates/%03ddb_%s-%s", language, p, s, n, date, letter,
			))
		}
		return Bilingual{En: at("en", "e"), Fr: at("fr", "f")}
	}
	return Bilingual{}
}

// meetingURL returns the address of a House committee's meeting. The addresses of Senate committees cannot be derived.
func meetingURL(chamber, session, acronym, number string) *string {
	if chamber != "house" || acronym == "WHOL" || !committeeAcronym.MatchString(acronym) ||
		!sittingNumber.MatchString(number) {
		return nil
	}
	return optional(fmt.Sprintf(
		"https://www.ourcommons.ca/DocumentViewer/en/%s/%s/meeting-%s/notice", session, acronym, number,
	))
}

func reportURL(chamber, session, acronym string, number int) Bilingual {
	if chamber != "house" || acronym == "WHOL" || !committeeAcronym.MatchString(acronym) {
		return Bilingual{}
	}
	return Bilingual{
		En: optional(fmt.Sprintf("https://www.ourcommons.ca/DocumentViewer/en/%s/%s/report-%d/", session, acronym, number)),
		Fr: optional(fmt.Sprintf("https://www.noscommunes.ca/DocumentViewer/fr/%s/%s/rapport-%d/", session, acronym, number)),
	}
}

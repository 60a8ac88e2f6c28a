package legisinfo

// Reader is the version of ParseDetail. A record that an older version parsed lacks the fields that are new since then.
// It is parsed again if the record is stored, and else requested again.
//
// 2: stages, votes in stages, publications. 3: all divisions, the sponsor's office and riding, reinstatement, the end,
// sittings, speeches, meetings, events, messages, rulings, references, notes. 4: the sponsor's person id.
const Reader = 4

// maxEntries limits each list of a record, so that a broken record does not fill the database. The longest list in the
// records of five sessions has 162 entries.
const maxEntries = 1000

// Detail has the fields that only a bill's own record has. docs/data.md lists the fields of the record and how each is
// used.
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

	// Since Reader 3. Lists are oldest first and have no duplicates.
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
	// the Library of Parliament wrote a legislative summary
	FullSummary bool `json:"full_summary,omitempty"`
	// the Senate's committee that studied it before it came
	PreStudy    *Committee  `json:"pre_study,omitempty"`
	InPreStudy  bool        `json:"in_pre_study,omitempty"`
	Readings    []Reading   `json:"readings,omitempty"`
	Decisions   []Decision  `json:"decisions,omitempty"`
	Sittings    []Sitting   `json:"sittings,omitempty"`
	Events      []Event     `json:"events,omitempty"`
	LatestEvent *Event      `json:"latest_event,omitempty"`
	Speeches    []Speech    `json:"speeches,omitempty"`
	Meetings    []Meeting   `json:"meetings,omitempty"`
	Messages    []Message   `json:"messages,omitempty"`
	Rulings     []Ruling    `json:"rulings,omitempty"`
	References  []Reference `json:"references,omitempty"` // in the record's order
	Notices     []Notice    `json:"notices,omitempty"`    // in the record's order

	// Since Reader 4.
	SponsorID int `json:"sponsor_id,omitempty"` // parl.ca's person id

	// Raw is the record itself, if it was just fetched. It is stored beside the bill, not in it.
	Raw []byte `json:"-"`
}

// Adopt copies from a newer reading of the same bill the fields that an older Reader did not read and that a bill's
// versions show. So they do not look like a change of the bill.
func (d *Detail) Adopt(newer *Detail) {
	if d.Reader < 3 && newer.Reader >= 3 {
		d.SponsorHonorific = newer.SponsorHonorific
		d.SponsorOffice = newer.SponsorOffice
		d.SponsorRiding = newer.SponsorRiding
	}
	if d.Reader < 4 && newer.Reader >= 4 {
		d.SponsorID = newer.SponsorID
	}
}

// Bilingual is a text in both languages, as in the record. Either may be empty.
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

// Stage is a stage of a bill's course, whether the bill has reached it or not.
type Stage struct {
	Chamber string `json:"chamber"` // "house" or "senate"
	NameEn  string `json:"name_en,omitempty"`
	NameFr  string `json:"name_fr,omitempty"`
	// LEGISinfo's: 1 not reached, 2 no activity, 3 in progress, 4 completed, 5 not completed
	State     int    `json:"state"`
	Since     string `json:"since,omitempty"`     // day in Ottawa
	Started   string `json:"started,omitempty"`   // day of the first sitting or event
	Committee string `json:"committee,omitempty"` // acronym
}

// Committee is a committee that considered the bill at a stage.
type Committee struct {
	Acronym string `json:"acronym"`
	Chamber string `json:"chamber"` // of the stage: "house" or "senate"
	NameEn  string `json:"name_en,omitempty"`
	NameFr  string `json:"name_fr,omitempty"`
}

// Reinstatement refers to the same bill in another session.
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

// Where is the chamber, session and stage that an entry belongs to.
type Where struct {
	Chamber string    `json:"chamber,omitempty"`
	Session string    `json:"session,omitempty"` // "44-1", where the record tells it
	Stage   Bilingual `json:"stage,omitzero"`
}

// Decision is a decision of a chamber at a stage, taken by a division or without one.
type Decision struct {
	Where
	Motion   Bilingual `json:"motion,omitzero"`
	Result   string    `json:"result,omitempty"`
	Method   Bilingual `json:"method,omitzero"` // "On division", "By unanimous consent"
	Division int       `json:"division,omitempty"`
	Date     string    `json:"date,omitempty"`
	Sitting  string    `json:"sitting,omitempty"`
}

// Sitting is a sitting at which the bill came up.
type Sitting struct {
	Where
	Name      Bilingual `json:"name,omitzero"` // "Debate at second reading"
	Number    string    `json:"number,omitempty"`
	Date      string    `json:"date,omitempty"`
	Note      Bilingual `json:"note,omitzero"`
	Published bool      `json:"published,omitempty"` // at ourcommons.ca
}

// Event is an event in the bill's course.
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

// Meeting is a committee meeting about the bill.
type Meeting struct {
	Where
	Committee Bilingual `json:"committee,omitzero"`
	Acronym   string    `json:"acronym,omitempty"`
	Number    string    `json:"number,omitempty"`
	Date      string    `json:"date,omitempty"`
}

// Message is a message between the chambers about amendments. Where.Chamber is the chamber that acted.
type Message struct {
	Where
	Name    Bilingual `json:"name,omitzero"`
	Date    string    `json:"date,omitempty"`
	At      string    `json:"at,omitempty"`
	Sitting string    `json:"sitting,omitempty"`
}

// Ruling is a ruling or a statement of a Speaker.
type Ruling struct {
	Where
	Date    string    `json:"date,omitempty"`
	At      string    `json:"at,omitempty"`
	Sitting string    `json:"sitting,omitempty"`
	URL     Bilingual `json:"url,omitzero"`
}

// Reference is a web page about the bill.
type Reference struct {
	Kind  Bilingual `json:"kind,omitzero"` // "Press Release"
	Title Bilingual `json:"title,omitzero"`
	URL   Bilingual `json:"url,omitzero"`
}

// Notice is the bibliographic notice of an article or a book about the bill.
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

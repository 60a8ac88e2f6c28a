package parliament

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// Stage is one of a bill's course through Parliament, reached or not.
type Stage struct {
	Chamber    string // "house" or "senate"
	Name       Bilingual
	State      string  // "not_reached", "no_activity", "in_progress", "completed", "not_completed" or "unknown"
	StateSince *string // day in Ottawa
	StartedOn  *string // day of the first sitting or event
	EndedOn    *string // day on which it was completed
	Committee  *string // acronym
}

// Vote is a recorded division on a bill.
// source: LEGISinfo detail, field BillStages.*.Decisions
type Vote struct {
	Number             int // in its session
	Chamber            string
	Stage, Motion      Bilingual
	Date, Sitting      *string
	Yeas, Nays, Paired int
	Result             string // "agreed_to", "negatived", "tie" or "unknown"
	URL                string
}

// Publication is a published version of a bill's text.
type Publication struct {
	ID   int
	Name Bilingual
	URL  string
}

// Course is what became of a bill: its stages in the order in which it goes through them (first the chamber where it
// began, then the other one, then royal assent), the divisions and the texts, both oldest first. All are empty as long
// as LEGISinfo has not been asked.
type Course struct {
	Stages       []Stage
	Votes        []Vote
	Publications []Publication
}

// stageStates are LEGISinfo's numbers.
// source: LEGISinfo detail, field BillStages.*.State
var stageStates = map[int]string{1: "not_reached", 2: "no_activity", 3: "in_progress", 4: "completed", 5: "not_completed"}

// Course gives the course of a bill; ErrNotFound if the bill is not held.
func (s *Store) Course(ctx context.Context, id BillID) (*Course, error) {
	row, err := s.bill(ctx, id)
	if err != nil {
		return nil, err
	}
	return courseOfRow(id, row)
}

// BillWithCourse gives a bill and its course; ErrNotFound if the bill is not held.
func (s *Store) BillWithCourse(ctx context.Context, id BillID) (*StoredBill, *Course, error) {
	row, err := s.bill(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	bills, err := s.stored(ctx, []db.Bill{row})
	if err != nil {
		return nil, nil, err
	}
	course, err := courseOfRow(id, row)
	return &bills[0], course, err
}

func courseOfRow(id BillID, row db.Bill) (*Course, error) {
	var parts Parts
	if err := json.Unmarshal(row.Parts, &parts); err != nil {
		return nil, fmt.Errorf("parts of bill %s: %w", id, err)
	}
	return courseOf(id, parts), nil
}

// voteResults are LEGISinfo's words.
// source: LEGISinfo detail, field BillStages.*.Decisions.DecisionResultNameEn
var voteResults = map[string]string{"Agreed To": "agreed_to", "Negatived": "negatived", "Tie": "tie"}

func courseOf(id BillID, p Parts) *Course {
	c := &Course{Stages: stagesOf(id, p), Votes: []Vote{}, Publications: []Publication{}}
	if p.Detail == nil {
		return c
	}
	for _, v := range p.Detail.Votes {
		result := voteResults[v.Result]
		if result == "" {
			result = "unknown"
		}
		c.Votes = append(c.Votes, Vote{
			Number: v.Number, Chamber: v.Chamber, Stage: Bilingual{En: plainText(v.StageEn), Fr: plainText(v.StageFr)}, Motion: Bilingual{En: plainText(v.MotionEn), Fr: plainText(v.MotionFr)},
			Date: optional(v.Date), Sitting: optional(v.Sitting), Yeas: v.Yeas, Nays: v.Nays, Paired: v.Paired, Result: result,
			URL: fmt.Sprintf("https://www.ourcommons.ca/members/en/votes/%d/%d/%d", id.Parliament, id.Session, v.Number),
		})
	}
	for _, t := range p.Detail.Publications {
		c.Publications = append(c.Publications, Publication{ID: t.ID, Name: Bilingual{En: plainText(t.NameEn), Fr: plainText(t.NameFr)}, URL: fmt.Sprintf("https://www.parl.ca/DocumentViewer/en/%d", t.ID)})
	}
	return c
}

func stagesOf(id BillID, p Parts) []Stage {
	out := []Stage{}
	if p.Detail == nil {
		return out
	}
	var assent []Stage
	for i, s := range p.Detail.Stages {
		st := stageOf(s)
		if i == len(p.Detail.Stages)-1 && s.NameEn == "Royal assent" {
			assent = []Stage{st}
			continue
		}
		out = append(out, st)
	}
	// LEGISinfo gives the House's first, also of bills that began in the Senate.
	if home := Merge(id, p).HomeChamber; home == "senate" {
		slices.SortStableFunc(out, func(a, b Stage) int { return chamberOrder(a) - chamberOrder(b) })
	}
	return append(out, assent...)
}

func chamberOrder(s Stage) int {
	if s.Chamber == "senate" {
		return 0
	}
	return 1
}

func stageOf(s legisinfo.Stage) Stage {
	st := Stage{Chamber: s.Chamber, Name: Bilingual{En: plainText(s.NameEn), Fr: plainText(s.NameFr)}, State: stageStates[s.State], StateSince: optional(s.Since), StartedOn: optional(s.Started), Committee: optional(s.Committee)}
	if st.State == "completed" {
		st.EndedOn = st.StateSince
	}
	if st.State == "" {
		st.State = "unknown"
	}
	return st
}

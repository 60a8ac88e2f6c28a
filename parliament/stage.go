package parliament

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// Stage is one of a bill's course through Parliament, reached or not.
type Stage struct {
	Chamber    string // "house" or "senate"
	Name       Bilingual
	State      string  // "not_reached", "no_activity", "in_progress", "completed", "not_completed" or "unknown"
	StateSince *string // day in Ottawa
	Committee  *string // acronym
}

// stageStates are LEGISinfo's numbers.
// source: LEGISinfo detail, field BillStages.*.State
var stageStates = map[int]string{1: "not_reached", 2: "no_activity", 3: "in_progress", 4: "completed", 5: "not_completed"}

// Stages gives the course of a bill, in the order in which it goes through it: first the chamber where it began, then
// the other one, then royal assent. ErrNotFound if the bill is not held; none as long as LEGISinfo has not been asked.
func (s *Store) Stages(ctx context.Context, id BillID) ([]Stage, error) {
	row, err := s.bill(ctx, id)
	if err != nil {
		return nil, err
	}
	var parts Parts
	if err := json.Unmarshal(row.Parts, &parts); err != nil {
		return nil, fmt.Errorf("parts of bill %s: %w", id, err)
	}
	return courseOf(id, parts), nil
}

func courseOf(id BillID, p Parts) []Stage {
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
	st := Stage{Chamber: s.Chamber, Name: Bilingual{En: plainText(s.NameEn), Fr: plainText(s.NameFr)}, State: stageStates[s.State], StateSince: optional(s.Since), Committee: optional(s.Committee)}
	if st.State == "" {
		st.State = "unknown"
	}
	return st
}

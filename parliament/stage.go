package parliament

import (
	"slices"

	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// Stage is a stage of a bill's course through Parliament, whether the bill has reached it or not.
type Stage struct {
	Chamber    string // "house" or "senate"
	Name       Bilingual
	State      string  // "not_reached", "no_activity", "in_progress", "completed", "not_completed" or "unknown"
	StateSince *string // day in Ottawa
	StartedOn  *string // day of the first sitting or event
	EndedOn    *string // day on which it was completed
	Committee  *string // acronym
}

// stageStates maps LEGISinfo's numbers to the states of a stage.
// source: LEGISinfo detail, field BillStages.*.State
var stageStates = map[int]string{
	1: "not_reached", 2: "no_activity", 3: "in_progress", 4: "completed", 5: "not_completed",
}

func stagesOf(id BillID, p SourceRecords) []Stage {
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
	// LEGISinfo lists the House's stages first, even for bills that began in the Senate.
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
	st := Stage{
		Chamber: s.Chamber, Name: Bilingual{En: plainText(s.NameEn), Fr: plainText(s.NameFr)}, State: stageStates[s.State],
		StateSince: dayOf(s.Since), StartedOn: dayOf(s.Started), Committee: mark(s.Committee),
	}
	if st.State == "completed" {
		st.EndedOn = st.StateSince
	}
	if st.State == "" {
		st.State = "unknown"
	}
	return st
}

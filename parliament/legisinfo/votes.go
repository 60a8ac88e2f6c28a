package legisinfo

import (
	"cmp"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// results maps LEGISinfo's numbers to results.
var results = map[int]string{15: "Agreed To", 16: "Negatived", 17: "Tie"}

// result reads a result: its name or, if that is missing, the flags and the number that say the same.
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
	v.Yeas = f.count("DivisionVotesYeas")
	v.Nays = f.count("DivisionVotesNays")
	v.Paired = f.count("DivisionVotePaired")
	v.Result = result(f)
	for _, name := range []string{"DivisionVotesAbstentions", "DivisionVoteAbstentions", "DivisionVotesAbstained"} {
		v.Abstentions = cmp.Or(v.Abstentions, f.count(name))
	}
	v.Total = cmp.Or(f.count("DivisionVoteTotal"), v.Yeas+v.Nays+v.Paired+v.Abstentions)
	return v
}

// votes merges the divisions. The record's own list has each House division once, with its subject. The stages have the
// divisions on their own motions; a division on closure stands at two stages. The counts come from the list: a tie that
// the Speaker broke is agreed to at its stage.
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
			v := tally(o, Vote{
				Number: n, Session: o.session(), Chamber: in.chamber, SubjectEn: subject.En, SubjectFr: subject.Fr,
			})
			v.Date, v.At = o.moment("DecisionDateTime")
			add(v)
		}
	}
	for _, v := range d.Votes {
		if held := add(v); held != nil {
			held.StageEn, held.StageFr = cmp.Or(held.StageEn, v.StageEn), cmp.Or(held.StageFr, v.StageFr)
			held.MotionEn, held.MotionFr = cmp.Or(held.MotionEn, v.MotionEn), cmp.Or(held.MotionFr, v.MotionFr)
			held.Sitting = cmp.Or(held.Sitting, v.Sitting)
			held.Date = cmp.Or(held.Date, v.Date)
			held.Result = cmp.Or(held.Result, v.Result)
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

// sittingOn returns the number of a chamber's sitting on a day, if the record has exactly one.
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

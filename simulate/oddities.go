package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// fate is what ended a bill's course, besides royal assent and the end of its session.
type fate int

const (
	alive fate = iota
	defeated
	abandoned // the House does not proceed with it
	dropped   // from the Senate's order paper
)

// vote is a decision of the House on a bill.
type vote struct {
	at         time.Time
	stage      int // houseSecond, reportStage or houseThird
	motionEn   string
	motionFr   string
	subjectEn  string
	subjectFr  string
	result     result
	method     int  // index of methods; a division was counted
	decided    bool // it is among the decisions of its stage
	number     int  // of the division; 0 without a count
	yeas, nays int
	paired     int
}

// reportStage stands between second and third reading; it is no stage of the plan.
const reportStage = 100

type result struct {
	id     int
	en, fr string
}

var (
	agreed    = result{15, "Agreed To", "Adoptée"}
	negatived = result{16, "Negatived", "Rejetée"}
	tie       = result{17, "Tie", "Égalité"}
)

// methods are the ways of a decision; the first one counts.
var methods = []struct {
	id     any
	en, fr string
}{
	{10, "On recorded division", "Suivant un vote par appel nominal"}, {9, "On division", "Avec dissidence"},
	{12, "By unanimous consent", "Du consentement unanime"}, {nil, "", ""},
}

// makeOdd gives the bills of a session what makes real records hard to read. Its draws are its own: the rest of
// Parliament is as it is without them.
func (w *World) makeOdd(s session) {
	var bills []*bill
	for _, b := range w.bills {
		if b.session == s {
			bills = append(bills, b)
		}
	}
	w.split(s, bills)
	w.takeUp(s, bills)
	for i, b := range bills {
		r := w.random(s.code()+"/odd", i)
		b.oddTitles(r, i)
		b.meetFate(r)
		b.early = b.fate == alive && b.government && b.prefix == "C" && len(b.stages) == 1 && b.number > 1 && r.IntN(4) == 0
		if len(b.stages) > 2 && b.session.documented() {
			b.report()
			b.decide(r)
		} else if b.session.documented() {
			b.decide(r)
		}
	}
	numberDivisions(bills)
}

// split makes the two halves of a government bill that was divided: C-6 and C-6A.
func (w *World) split(_ session, bills []*bill) {
	for _, b := range bills {
		if b.government && b.prefix == "C" && b.number == 7 {
			b.number, b.suffix = 6, "A"
		}
	}
}

// takeUp has a second session of a Parliament go on with private members' bills of the one before that did not get far:
// under the same number, with no date of a first reading.
func (w *World) takeUp(s session, bills []*bill) {
	old := map[string]*bill{}
	for _, b := range w.bills {
		if b.session.parliament == s.parliament && b.session.number == s.number-1 && b.prefix == "C" && !b.government &&
			len(b.stages) == 1 && b.fate == alive {
			old[b.code()] = b
		}
	}
	left := max(1, len(bills)/12)
	for _, b := range bills {
		from := old[b.code()]
		if from == nil || b.government || left == 0 {
			continue
		}
		left--
		from.reinstatedAs, b.reinstatedFrom, b.undated = b, from, true
		b.titleEn = from.titleEn
		b.titleFr = from.titleFr
		b.shortEn = from.shortEn
		b.shortFr = from.shortFr
		b.sponsor = from.sponsor
		b.committee = from.committee
		b.senate = from.senate
		b.stages[0].at = s.begins.Add(14 * time.Hour)
		b.stages = b.stages[:1]
	}
}

// oddTitles spells as the records do, and as word processors do: dashes and hyphens of all kinds, typographic
// apostrophes and quotation marks, markup, entities, white space that is not a blank, and too much of it.
func (b *bill) oddTitles(r *rand.Rand, i int) {
	if b.reinstatedFrom != nil {
		return
	}
	switch r.IntN(14) {
	case 0:
		b.titleFr = strings.ReplaceAll(b.titleFr, "'", "’")
	case 1:
		b.titleEn, b.titleFr = b.titleEn+" (refund – cancelled service)", b.titleFr+" (remboursement – service annulé)"
	case 2:
		b.titleEn, b.titleFr = b.titleEn+` (also called “Maude’s Law”)`, b.titleFr+" (aussi appelée « loi de Maude »)"
	case 3:
		b.titleEn, b.titleFr = b.titleEn+" and non‑renewable resources", b.titleFr+" et les sous‑sols"
	case 4:
		b.titleEn, b.titleFr = b.titleEn+" (food &amp; drink)", b.titleFr+" (œuvres, manœuvres et cœur)"
	case 5:
		b.titleEn, b.titleFr = " "+b.titleEn, strings.Replace(b.titleFr, " ", "  ", 1)+" "
	case 6:
		if b.government {
			b.titleFr = fmt.Sprintf("Loi n<Sup>o</Sup> %d ", 2+i%5) + strings.Replace(b.titleFr, "Loi ", "", 1)
		}
	case 7:
		if b.government {
			b.shortEn, b.shortFr = "Canada–Atlantis Relations Act", "Loi sur les relations Canada–Atlantide"
		}
	}
}

// meetFate ends the course of some bills that would have gone no further.
func (b *bill) meetFate(r *rand.Rand) {
	last := b.stages[len(b.stages)-1]
	draw, after := r.IntN(20), 20+r.IntN(120)
	at := workday(last.at.AddDate(0, 0, after))
	if b.number == 1 || b.reinstatedFrom != nil || b.reinstatedAs != nil || at.After(b.session.ends) ||
		!b.session.documented() {
		return
	}
	switch {
	case last.kind == houseFirst && draw < 4:
		b.fate = defeated
	case last.kind == houseFirst && draw == 4:
		b.fate = abandoned
	case (last.kind == senateFirst || last.kind == senateSecond) && draw < 3:
		b.fate = dropped
	default:
		return
	}
	b.fateAt = at
}

// report lays out when a bill that the House read a second time came back from its committee, and was concurred in.
func (b *bill) report() {
	second, third := b.at(houseSecond), b.at(houseThird)
	if second.IsZero() {
		return
	}
	if third.IsZero() { // it may get no further
		if b.id%3 == 0 {
			b.reported = workday(second.AddDate(0, 0, 30))
		}
		return
	}
	days := third.Sub(second)
	b.reported, b.concurred = second.Add(days*2/5), second.Add(days*4/5)
}

// at is when the bill passes a stage of its plan; the zero time if it never will.
func (b *bill) at(kind int) time.Time {
	for _, s := range b.stages {
		if s.kind == kind {
			return s.at
		}
	}
	return time.Time{}
}

func workday(t time.Time) time.Time {
	for t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		t = t.AddDate(0, 0, 1)
	}
	return t
}

// decide lays out the House's decisions on the bill. Those at the end of a stage are among its decisions too, counted
// or not; amendments, time allocation and concurrence are in the list of divisions alone.
func (b *bill) decide(r *rand.Rand) {
	d := &decider{
		bill: b, rand: r, en: "Bill " + b.code() + ", " + strings.TrimSpace(b.titleEn),
		fr: "projet de loi " + b.code() + ", " + strings.TrimSpace(b.titleFr),
	}
	secondEn := "2nd reading and referral to committee - " + b.committee.acronym
	secondFr := "2e lecture et renvoi en comité - " + b.committee.acronym
	if b.fate == defeated {
		d.reading(houseSecond, b.fateAt, secondEn, secondFr, "2nd reading", "2e lecture", negatived)
		return
	}
	if at := b.at(houseSecond); !at.IsZero() {
		if b.government {
			d.beforeSecond(at)
		}
		d.reading(houseSecond, at, secondEn, secondFr, "2nd reading", "2e lecture", agreed)
	}
	if at := b.concurred; !at.IsZero() {
		d.atReport(at)
	}
	if at := b.at(houseThird); !at.IsZero() {
		d.reading(houseThird, at, "3rd reading", "3e lecture", "3rd reading and adoption", "3e lecture et adoption", agreed)
	}
}

// decider adds the decisions on a bill to it. en and fr name the bill.
type decider struct {
	*bill
	rand   *rand.Rand
	en, fr string
}

// divide adds a decision by a counted vote.
func (d *decider) divide(v vote) {
	v.yeas, v.nays, v.paired = 150+d.rand.IntN(60), 90+d.rand.IntN(50), d.rand.IntN(3)*d.rand.IntN(6)
	switch v.result {
	case negatived:
		v.yeas, v.nays = v.nays, v.yeas
	case tie:
		v.nays = v.yeas
	}
	d.votes = append(d.votes, &v)
}

// reading adds the decision at the end of a stage, most often by a counted vote.
func (d *decider) reading(stage int, at time.Time, motionEn, motionFr, nth, nieme string, res result) {
	v := vote{
		at: at, stage: stage, motionEn: motionEn, motionFr: motionFr, subjectEn: nth + " of " + d.en,
		subjectFr: nieme + " du " + d.fr, result: res, decided: true,
	}
	if v.method = max(0, d.rand.IntN(10)-6); v.method == 0 || res != agreed {
		v.method = 0
		d.divide(v)
		return
	}
	d.votes = append(d.votes, &v)
}

// beforeSecond adds the votes on reasoned amendments and on time allocation before second reading.
func (d *decider) beforeSecond(at time.Time) {
	for range d.rand.IntN(3) {
		d.divide(vote{
			at: at.AddDate(0, 0, -1), stage: houseSecond, subjectEn: d.en + " (reasoned amendment)",
			subjectFr: "P" + d.fr[1:] + " (amendement motivé)", result: negatived,
		})
	}
	if d.rand.IntN(3) == 0 {
		d.divide(vote{
			at: at.AddDate(0, 0, -2), stage: houseSecond, subjectEn: "Time allocation for " + d.en,
			subjectFr: "Attribution de temps pour le " + d.fr, result: agreed,
		})
	}
}

// atReport adds the votes on amendments and on concurrence at report stage.
func (d *decider) atReport(at time.Time) {
	for n := range d.rand.IntN(4) {
		res := negatived
		if n == 0 && d.rand.IntN(8) == 0 {
			res = tie // the Speaker decides
		}
		d.divide(vote{
			at: at, stage: reportStage, subjectEn: d.en + " (report stage amendment)",
			subjectFr: "P" + d.fr[1:] + " (amendement à l'étape du rapport)", result: res,
		})
	}
	d.divide(vote{
		at: at, stage: reportStage, subjectEn: "Concurrence at report stage of " + d.en,
		subjectFr: "Adoption à l'étape du rapport du " + d.fr, result: agreed,
	})
}

// numberDivisions counts the divisions of a session, with gaps for those on other business.
func numberDivisions(bills []*bill) {
	type of struct {
		*vote
		bill *bill
	}
	var all []of
	for _, b := range bills {
		for _, v := range b.votes {
			if v.yeas+v.nays > 0 {
				all = append(all, of{v, b})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y of) int { return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.bill.id, y.bill.id)) })
	n := 0
	for _, v := range all {
		n += 1 + v.bill.id%3
		v.number = n
	}
}

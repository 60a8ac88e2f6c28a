// Package simulate is a simulated Parliament. It serves both sources over HTTP, as openparliament.ca and LEGISinfo do,
// from a seed. It is deterministic and of any size, its bills progress with its own clock, and it injects faults on
// demand (see Faults). It is for demonstrations, tests and load; none of its bills exist. Begin reading at NewWorld and
// World.Handler.
package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options configure a simulated Parliament.
type Options struct {
	// Seed selects the Parliament: the same seed always makes the same one. Default 1.
	Seed uint64
	// Sessions is the number of sessions, one of each Parliament up to the 45th, the last of which is open; default 2, at
	// most 20. Ten go back to the 36th Parliament, of which openparliament.ca has nothing and LEGISinfo little.
	Sessions int
	// Codes lists the sessions instead, the oldest first and the open one last, such as 36-1, 43-1, 43-2, 45-1. A second
	// session of a Parliament reinstates bills of the one before.
	Codes []string
	// Bills is the number of bills in a session; default 120, at most 5000.
	Bills int
	// AsOf is the simulated day; default 2026-06-18. Later facts are not known yet.
	AsOf time.Time
	// DaysPerSecond is how fast the simulated day advances; default 0: it does not.
	DaysPerSecond float64
}

// World is a simulated Parliament and its clock.
type World struct {
	opts     Options
	sessions []session
	bills    []*bill // in openparliament.ca's own order
	members  []member

	mu     sync.Mutex
	base   time.Time // the day when the clock was set
	baseAt time.Time // the real time then
	seen   *view     // of the last day that was asked for

	changed map[string]member // since the beginning, by slug
}

type session struct {
	parliament, number int
	begins, ends       time.Time
}

func (s session) code() string { return fmt.Sprintf("%d-%d", s.parliament, s.number) }

type member struct {
	id          int
	first, last string
	riding      string
	party       string
	honorific   string
	slug        string // in addresses
	left        bool   // the House
}

func (m member) name() string { return m.first + " " + m.last }

// bill is a bill's whole course, past and to come.
type bill struct {
	session    session
	id         int
	prefix     string
	number     int
	suffix     string // of a bill that was split in two: C-6A
	titleEn    string
	titleFr    string
	shortEn    string
	shortFr    string
	kindEn     string
	kindFr     string
	government bool
	undated    bool // reinstated from an earlier session: no first reading is dated
	sponsor    member
	stages     []stage // in the order of the bill's course, those it will reach
	committee  committee
	senate     committee
	chapter    int
	related    []string
	summary    bool

	// What makes records odd; see oddities.go.
	fate           fate
	fateAt         time.Time
	early          bool // referred to a committee before second reading
	reported       time.Time
	concurred      time.Time
	votes          []*vote
	reinstatedFrom *bill
	reinstatedAs   *bill
}

func (b *bill) code() string { return fmt.Sprintf("%s-%d%s", b.prefix, b.number, b.suffix) }

type stage struct {
	kind int // index of stageKinds
	at   time.Time
}

type committee struct{ acronym, en, fr string }

// The stages that a bill passes; a Senate bill goes through the Senate first.
const (
	houseFirst = iota
	houseSecond
	houseThird
	senateFirst
	senateSecond
	senateThird
	royalAssent
)

var stageKeys = []string{
	"PassedHouseFirstReadingDateTime", "PassedHouseSecondReadingDateTime", "PassedHouseThirdReadingDateTime",
	"PassedSenateFirstReadingDateTime", "PassedSenateSecondReadingDateTime", "PassedSenateThirdReadingDateTime",
	"ReceivedRoyalAssentDateTime",
}

var (
	topics = []struct{ en, fr string }{
		{"clean drinking water", "l'eau potable"}, {"rural broadband", "l'Internet haute vitesse en région rurale"},
		{"coastal fisheries", "les pêches côtières"},
		{"judges' salaries", "le traitement des juges"}, {"online safety", "la sécurité en ligne"},
		{"passenger rail", "le transport ferroviaire de voyageurs"},
		{"food labelling", "l'étiquetage des aliments"}, {"northern housing", "le logement dans le Nord"},
		{"veterans' benefits", "les prestations des anciens combattants"},
		{"wildfire preparedness", "la préparation aux feux de forêt"}, {"privacy of children", "la vie privée des enfants"},
		{"competition in groceries", "la concurrence dans l'alimentation"},
		{"bank fees", "les frais bancaires"}, {"official languages", "les langues officielles"},
		{"space launches", "les lancements spatiaux"}, {"heritage sites", "les lieux patrimoniaux"},
	}
	acts = []struct{ en, fr string }{
		{"An Act respecting %s", "Loi concernant %s"},
		{"An Act to amend the Criminal Code (%s)", "Loi modifiant le Code criminel (%s)"},
		{"An Act to establish a national strategy on %s", "Loi établissant une stratégie nationale sur %s"},
		{"An Act to amend certain Acts in relation to %s", "Loi modifiant certaines lois relativement à %s"},
	}
	firstNames = []string{
		"Amélie", "Baldev", "Chantal", "Dmitri", "Élise", "Fatima", "Gordon", "Hélène", "Ivan", "Joséphine", "Kwame", "Leona",
		"Mateo", "Nadia", "Olivier", "Priya",
	}
	lastNames = []string{
		"Arsenault", "Beauchamp", "Chen", "Dhaliwal", "Erickson", "Fontaine", "Gauthier", "Hughes", "Ibrahim", "Jolicoeur",
		"Kowalski", "Lachance", "MacNeil", "Nguyen", "O'Connor", "Paquette",
	}
	ridings = []string{
		"Baie-du-Soleil", "Cedar Plains", "Deux-Rives", "East Harbour", "Fort Clement", "Grand Lac—Highwood", "Highwood",
		"Île-aux-Pins",
	}
	parties    = []string{"Harvest", "Concord", "Boréal", "Commonweal"}
	houseComms = []committee{
		{"FINA", "Standing Committee on Finance", "Comité permanent des finances"},
		{
			"JUST", "Standing Committee on Justice and Human Rights",
			"Comité permanent de la justice et des droits de la personne",
		},
		{
			"ENVI", "Standing Committee on Environment and Sustainable Development",
			"Comité permanent de l'environnement et du développement durable",
		},
		{"HESA", "Standing Committee on Health", "Comité permanent de la santé"},
	}
	senateComms = []committee{
		{"NFFN", "Standing Senate Committee on National Finance", "Comité sénatorial permanent des finances nationales"},
		{
			"LCJC", "Standing Senate Committee on Legal and Constitutional Affairs",
			"Comité sénatorial permanent des affaires juridiques et constitutionnelles",
		},
	}
)

// NewWorld makes a simulated Parliament.
func NewWorld(o Options) (*World, error) {
	o.Seed, o.Sessions, o.Bills = cmp.Or(o.Seed, 1), cmp.Or(o.Sessions, 2), cmp.Or(o.Bills, 120)
	if o.AsOf.IsZero() {
		o.AsOf = time.Date(2026, 6, 18, 0, 0, 0, 0, time.UTC)
	}
	if o.Sessions < 1 || o.Sessions > 20 || len(o.Codes) > 20 {
		return nil, fmt.Errorf("sessions %d: want 1 to 20", max(o.Sessions, len(o.Codes)))
	}
	if len(o.Codes) == 0 {
		for back := o.Sessions - 1; back >= 0; back-- {
			o.Codes = append(o.Codes, fmt.Sprintf("%d-1", 45-back))
		}
	}
	if o.Bills < 1 || o.Bills > 5000 {
		return nil, fmt.Errorf("bills %d: want 1 to 5000 for each session", o.Bills)
	}
	if o.DaysPerSecond < 0 {
		return nil, fmt.Errorf("days per second %g: want 0 or more", o.DaysPerSecond)
	}
	w := &World{opts: o, base: o.AsOf, baseAt: time.Now()}
	w.makeMembers()
	// Each session lasts two years; the last one began a year before 2026-06-18, whatever day it is.
	last := time.Date(2025, 5, 26, 0, 0, 0, 0, time.UTC)
	for i, code := range o.Codes {
		s, err := parseSession(code)
		if err != nil {
			return nil, err
		}
		var before *session
		if i > 0 {
			if before = &w.sessions[i-1]; !before.before(s) {
				return nil, fmt.Errorf("session %s: want it before %s", code, before.code())
			}
		}
		s.begins = last.AddDate(-2*(len(o.Codes)-1-i), 0, 0)
		s.ends = s.begins.AddDate(2, 0, -30)
		w.sessions = append(w.sessions, s)
		w.makeBills(s)
		w.makeOdd(s)
	}
	private := func(b *bill) int {
		if b.number >= 200 {
			return 1
		}
		return 0
	}
	slices.SortFunc(w.bills, func(a, b *bill) int {
		return cmp.Or(
			cmp.Compare(private(a), private(b)), cmp.Compare(a.prefix, b.prefix), cmp.Compare(a.number, b.number),
			cmp.Compare(a.suffix, b.suffix), cmp.Compare(a.id, b.id),
		)
	})
	return w, nil
}

func parseSession(code string) (s session, err error) {
	if _, err = fmt.Sscanf(code, "%d-%d", &s.parliament, &s.number); err != nil || s.code() != code || s.parliament < 1 ||
		s.number < 1 || s.number > 9 {
		return s, fmt.Errorf("session %q: want one such as 43-2", code)
	}
	return s, nil
}

// before says whether a session came before another.
func (s session) before(o session) bool {
	return s.parliament < o.parliament || s.parliament == o.parliament && s.number < o.number
}

// documented says whether LEGISinfo has more of a session's bills than titles and stage dates: it does since the 37th
// Parliament.
func (s session) documented() bool { return s.parliament >= 37 }

func (w *World) random(stream string, n int) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, c := range []byte(fmt.Sprintf("%s/%d", stream, n)) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	//nolint:gosec // nothing secret: the same seed must give the same Parliament
	return rand.New(rand.NewPCG(w.opts.Seed, h))
}

func (w *World) makeMembers() {
	r := w.random("members", 0)
	for i := range 60 {
		w.members = append(w.members, member{
			id: 90001 + i, first: firstNames[r.IntN(len(firstNames))], last: lastNames[r.IntN(len(lastNames))],
			riding: ridings[r.IntN(len(ridings))], party: parties[r.IntN(len(parties))],
			honorific: []string{"", "", "Hon."}[r.IntN(3)],
		})
		w.members[i].slug = w.members[i].slugAmong(w.members[:i])
	}
}

func (w *World) makeBills(s session) {
	counts := map[string]int{}
	for i := range w.opts.Bills {
		r := w.random(s.code(), i)
		b := &bill{session: s, id: s.parliament*100_000 + s.number*10_000 + i + 1}
		switch n := r.IntN(100); {
		case i == 0:
			b.prefix = "C"
			b.kindEn = "House Government Bill"
			b.kindFr = "Projet de loi émanant du gouvernement (Cdc)"
			b.government = true
			b.number = 1
		case n < 20:
			b.prefix = "C"
			b.kindEn = "House Government Bill"
			b.kindFr = "Projet de loi émanant du gouvernement (Cdc)"
			b.government = true
			b.number = 2 + counts["CG"]
			counts["CG"]++
		case n < 80:
			b.prefix, b.kindEn, b.kindFr = "C", "Private Member's Bill", "Projet de loi émanant d'un député"
			b.number = 201 + counts["CP"]
			counts["CP"]++
		case n < 84:
			b.prefix = "S"
			b.kindEn = "Senate Government Bill"
			b.kindFr = "Projet de loi émanant du gouvernement (Sénat)"
			b.government = true
			b.number = 2 + counts["SG"]
			counts["SG"]++
		default:
			b.prefix, b.kindEn, b.kindFr = "S", "Senate Public Bill", "Projet de loi d'intérêt public du Sénat"
			b.number = 201 + counts["SP"]
			counts["SP"]++
		}
		w.describe(b, r, i)
		b.plan(r)
		w.bills = append(w.bills, b)
	}
}

func (w *World) describe(b *bill, r *rand.Rand, i int) {
	topic, act := topics[r.IntN(len(topics))], acts[r.IntN(len(acts))]
	b.titleEn, b.titleFr = fmt.Sprintf(act.en, topic.en), fmt.Sprintf(act.fr, topic.fr)
	switch {
	case i == 0:
		b.titleEn = "An Act respecting the administration of oaths of office"
		b.titleFr = "Loi concernant la prestation de serments d'office"
	case b.government && r.IntN(5) == 0: // as appropriation bills are, with markup in the French title
		n := 1 + r.IntN(5)
		b.shortEn = fmt.Sprintf(
			"Appropriation Act No. %d, %d-%02d", n, b.session.begins.Year(), (b.session.begins.Year()+1)%100,
		)
		b.shortFr = fmt.Sprintf(
			"Loi de crédits n<sup>o</sup>&nbsp;%d pour %d-%d", n, b.session.begins.Year(), b.session.begins.Year()+1,
		)
	case b.government:
		b.shortEn, b.shortFr = strings.ToUpper(topic.en[:1])+topic.en[1:]+" Act", "Loi sur "+topic.fr
	}
	b.sponsor = w.members[r.IntN(len(w.members))]
	b.committee, b.senate = houseComms[r.IntN(len(houseComms))], senateComms[r.IntN(len(senateComms))]
	b.summary = b.government && r.IntN(2) == 0
	if r.IntN(8) == 0 {
		b.related = append(b.related, fmt.Sprintf("%d-1/C-%d", b.session.parliament-1, 2+r.IntN(40)))
	}
	b.undated = !b.government && r.IntN(25) == 0 && i > 0
	b.chapter = 1 + i%60
}

// plan lays out the bill's course: when it is introduced, and how far it will get.
func (b *bill) plan(r *rand.Rand) {
	length := int(b.session.ends.Sub(b.session.begins).Hours() / 24)
	at := b.session.begins.AddDate(0, 0, r.IntN(max(length-30, 1)))
	order := []int{houseFirst, houseSecond, houseThird, senateFirst, senateSecond, senateThird, royalAssent}
	if b.prefix == "S" {
		order = []int{senateFirst, senateSecond, senateThird, houseFirst, houseSecond, houseThird, royalAssent}
	}
	onward := 0.35
	if b.government {
		onward = 0.9
	}
	for i, kind := range order {
		if i > 0 && (b.number == 1 || r.Float64() > onward) {
			return
		}
		if i > 0 {
			at = at.AddDate(0, 0, 3+r.IntN(60))
		}
		for at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			at = at.AddDate(0, 0, 1)
		}
		if at.After(b.session.ends) {
			return
		}
		b.stages = append(b.stages, stage{
			kind: kind, at: at.Add(time.Duration(10+r.IntN(8))*time.Hour + time.Duration(r.IntN(60))*time.Minute),
		})
	}
}

// Today returns the simulated day.
func (w *World) Today() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	days := time.Since(w.baseAt).Seconds() * w.opts.DaysPerSecond
	return w.base.Add(time.Duration(days * float64(24*time.Hour))).Truncate(24 * time.Hour)
}

// SetDay sets the simulated day.
func (w *World) SetDay(day time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.base, w.baseAt = day, time.Now()
}

// reached are the stages that the bill has passed by a moment.
func (b *bill) reached(end time.Time) []stage {
	var out []stage
	for _, s := range b.stages {
		if !s.at.After(end) {
			out = append(out, s)
		}
	}
	return out
}

// introduced is the day of the first reading; empty if it is not dated.
func (b *bill) introduced() string {
	if b.undated {
		return ""
	}
	return b.stages[0].at.Format(time.DateOnly)
}

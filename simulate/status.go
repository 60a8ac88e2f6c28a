package simulate

import (
	"time"
)

// status is LEGISinfo's word for how far a bill has got.
type status struct {
	id     int
	en, fr string
}

var (
	proForma     = status{359, "Introduced as pro forma bill", "Présenté en tant que projet de loi pro forma"}
	outsideOrder = status{360, "Outside the Order of Precedence", "Ne fait pas partie de l'Ordre de priorité"}
	beforeSecond = status{
		350, "Referred to committee before second reading in the House of Commons",
		"Renvoyé en comité avant la deuxième lecture à la Chambre des communes",
	}
	houseAtSecond = status{
		349, "At second reading in the House of Commons", "À la deuxième lecture à la Chambre des communes",
	}
	houseInCommittee = status{
		352, "At consideration in committee in the House of Commons", "À l'examen en comité à la Chambre des communes",
	}
	houseAtReport = status{
		353, "At report stage in the House of Commons", "À l'étape du rapport à la Chambre des communes",
	}
	houseAtThird = status{
		354, "At third reading in the House of Commons", "À l'étape de la troisième lecture à la Chambre des communes",
	}
	awaitingSenate = status{
		342, "House of Commons bill awaiting first reading in the Senate",
		"Projet de loi de la Chambre des communes en attente de la première lecture au Sénat",
	}
	senateAtSecond    = status{343, "At second reading in the Senate", "À la deuxième lecture au Sénat"}
	senateInCommittee = status{344, "At consideration in committee in the Senate", "À l'examen en comité au Sénat"}
	awaitingHouse     = status{
		348, "Senate bill awaiting first reading in the House of Commons",
		"Projet de loi du Sénat en attente de la première lecture à la Chambre des communes",
	}
	awaitingAssent = status{356, "Awaiting royal assent", "En attente de la sanction royale"}
	assented       = status{357, "Royal assent received", "Sanction royale reçue"}
	billDefeated   = status{341, "Bill defeated", "Projet de loi rejeté"}
	notProceeded   = status{358, "Bill not proceeded with", "Projet de loi abandonné"}
)

func (b *bill) status(reached []stage, end time.Time) status {
	known := func(t time.Time) bool { return !t.IsZero() && !t.After(end) }
	switch {
	case b.number == 1:
		return proForma
	case b.fate == defeated && known(b.fateAt):
		return billDefeated
	case b.fate != alive && known(b.fateAt):
		return notProceeded
	case b.early:
		return beforeSecond
	}
	switch reached[len(reached)-1].kind {
	case houseFirst:
		if !b.government && b.prefix == "C" && !b.placed(end) {
			return outsideOrder
		}
		return houseAtSecond
	case houseSecond:
		switch {
		case known(b.concurred):
			return houseAtThird
		case known(b.reported):
			return houseAtReport
		}
		return houseInCommittee
	case houseThird:
		if b.prefix == "S" {
			return awaitingAssent
		}
		return awaitingSenate
	case senateFirst:
		return senateAtSecond
	case senateSecond:
		return senateInCommittee
	case senateThird:
		if b.prefix == "S" {
			return awaitingHouse
		}
		return awaitingAssent
	}
	return assented
}

// placed says whether a private member's bill is in the order of precedence: it is debated soon.
func (b *bill) placed(end time.Time) bool {
	return b.id%4 == 0 && !b.stages[0].at.AddDate(0, 0, 20).After(end)
}

// dates are the stage dates: null where the bill has not got, or where nobody wrote them down.
func (b *bill) dates(reached []stage) record {
	out := record{}
	for _, key := range stageKeys {
		out[key] = nil
	}
	for i, s := range reached {
		if i == 0 && b.undated {
			continue
		}
		out[stageKeys[s.kind]] = b.clockOf(s.at)
	}
	return out
}

// clockOf writes a time as LEGISinfo's details do: now and then with a fraction of a second; days alone in old records.
func (b *bill) clockOf(t time.Time) string {
	t = clock(t)
	switch {
	case !b.session.documented():
		return t.Format(dayOnly)
	case (b.id+t.Minute())%5 == 0:
		t = t.Add(973 * time.Millisecond)
	}
	return t.Format(bare)
}

// clock reads a planned time as a clock in Ottawa.
func clock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, ottawa)
}

func (b *bill) chamber() int {
	if b.prefix == "S" {
		return 2
	}
	return 1
}

func chamberName(id int) (en, fr string) {
	if id == 2 {
		return "Senate", "Sénat"
	}
	return "House of Commons", "Chambre des communes"
}

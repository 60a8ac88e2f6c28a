package simulate

import (
	"time"
)

// leg is a stage as it is laid out: when it begins and ends, and what happens in it.
type leg struct {
	id, chamber int
	en, fr      string
	begins      time.Time // zero: not reached
	ends        time.Time // zero: it is not completed
	end         happening // what completes it
	events      []happening
	debate      [2]string // name of a debate; empty: there is none
	committee   *committee
	meetings    int
	votes       int // kind of the House's decisions on it
}

func (b *bill) prestudied() bool {
	return b.prefix == "C" && b.government && b.id%6 == 1 && !b.at(senateFirst).IsZero() && b.session.documented()
}

// prestudyAt is when the Senate begins to study a bill that the House has not passed yet.
func (b *bill) prestudyAt() time.Time { return b.at(senateFirst).AddDate(0, 0, -2) }

// houseLegs returns the bill's stages in the House. It is long, because it has one literal for each stage.
func (b *bill) houseLegs(by map[int]time.Time) []leg {
	first, second, third := by[houseFirst], by[houseSecond], by[houseThird]
	introduced := happening{
		typeID: 60110, en: "Introduction and first reading", fr: "Dépôt et première lecture", completes: true,
	}
	if b.prefix == "S" {
		introduced = happening{typeID: 60111, en: "First reading", fr: "Première lecture", completes: true}
	}
	legs := []leg{{id: 60029, en: "First reading", fr: "Première lecture", begins: first, ends: first, end: introduced}}
	if b.prefix == "C" && b.undated {
		legs[0].begins, legs[0].ends = time.Time{}, time.Time{} // nobody wrote down when
	}
	if b.reinstatedFrom != nil {
		legs[0] = leg{
			id: 60039, en: "Bill reinstated from previous session", fr: "Projet de loi rétabli de la session précédente",
			begins: first, ends: first,
			end: happening{
				typeID: 60163, en: "Reinstated from previous session", fr: "Rétabli de la session précédente", completes: true,
			}}
	}
	reading := leg{
		id: 60030, en: "Second reading", fr: "Deuxième lecture", begins: first, ends: second, votes: houseSecond,
		debate: [2]string{"Debate at second reading", "Débat à l'étape de la deuxième lecture"},
		end: happening{
			typeID: 60121, en: "Second reading and referral to committee", fr: "Deuxième lecture et renvoi en comité",
			completes: true, committee: &b.committee,
		}}
	if !b.government && b.prefix == "C" && b.placed(first.AddDate(1, 0, 0)) && !first.IsZero() {
		reading.events = append(reading.events, happening{
			typeID: 60112, en: "Placed in the Order of Precedence", fr: "Ajouté à l'Ordre de priorité",
			at: first.AddDate(0, 0, 20),
		})
	}
	if b.fate == defeated {
		reading.events = append(reading.events, happening{
			typeID: 60119, en: "Bill defeated at second reading", fr: "Rejet du projet de loi à l'étape de la deuxième lecture",
			at: b.fateAt, defeats: true,
		})
	}
	if b.number == 1 || b.early || b.fate == abandoned ||
		(!b.government && b.prefix == "C" && second.IsZero() && b.fate != defeated && !b.placed(first.AddDate(1, 0, 0))) {
		reading.debate = [2]string{} // it waits
	}
	committee := leg{
		id: 60049, en: "Consideration in committee", fr: "Examen en comité", begins: second, ends: b.reported,
		committee: &b.committee, meetings: 1 + b.id%4,
		end: happening{
			typeID: 60124, en: "Committee report presented without an amendment",
			fr: "Présentation du rapport de comité sans amendement", completes: true, report: 1 + b.id%9,
			committee: &b.committee,
		}}
	if b.id%2 == 0 {
		committee.end.en = "Committee report presented with amendments"
		committee.end.fr = "Présentation du rapport de comité avec des amendements"
	}
	if !second.IsZero() && b.id%11 == 0 {
		committee.events = append(committee.events, happening{
			typeID: 60132, en: "Recommittal of bill to committee adopted", fr: "Adoption du renvoi du projet de loi en comité",
			at: second.AddDate(0, 0, 1),
		})
	}
	report := leg{
		id: 60032, en: "Report stage", fr: "Étape du rapport", begins: b.reported, ends: b.concurred, votes: reportStage,
		debate: [2]string{"Debate at report stage", "Débat à l'étape du rapport"},
		end: happening{
			typeID: 60285, en: "Concurrence at report stage", fr: "Adoption à l'étape du rapport", completes: true,
		}}
	last := leg{
		id: 60031, en: "Third reading", fr: "Troisième lecture", begins: b.concurred, ends: third, votes: houseThird,
		debate: [2]string{"Debate at third reading", "Débat à l'étape de la troisième lecture"},
		end:    happening{typeID: 60134, en: "Third reading", fr: "Troisième lecture", completes: true}}
	legs = append(legs, reading, committee, report, last)
	for i := range legs {
		legs[i].chamber = 1
	}
	return legs
}

// senateLegs returns the bill's stages in the Senate, which has no report stage unless a committee amends the bill. It
// is long, because it has one literal for each stage.
func (b *bill) senateLegs(by map[int]time.Time) []leg {
	first, second, third := by[senateFirst], by[senateSecond], by[senateThird]
	introduced := happening{typeID: 60111, en: "First reading", fr: "Première lecture", completes: true}
	if b.prefix == "S" {
		introduced = happening{
			typeID: 60110, en: "Introduction and first reading", fr: "Dépôt et première lecture", completes: true,
		}
	}
	var legs []leg
	if b.prestudied() {
		legs = append(legs, leg{
			id: 60038, en: "Senate pre-study", fr: "Étude préalable au Sénat", begins: b.prestudyAt(), ends: first,
			committee: &b.senate,
			events: []happening{{typeID: 60109, en: "Pre-study of House bill", fr: "Étude préalable d'un projet de loi " +
				"émanant de la Chambre des communes", at: b.prestudyAt()}},
			end: happening{
				typeID: 60305, en: "Committee report on subject matter of bill tabled",
				fr: "Dépôt du rapport de comité sur l'objet du projet de loi", completes: true,
			}})
	}
	opening := leg{id: 60029, en: "First reading", fr: "Première lecture", begins: first, ends: first, end: introduced}
	if b.prefix == "S" && b.undated {
		opening.begins, opening.ends = time.Time{}, time.Time{}
	}
	legs = append(legs, opening)
	reading := leg{id: 60030, en: "Second reading", fr: "Deuxième lecture", begins: first, ends: second, debate: [2]string{
		"Debate at second reading", "Débat à l'étape de la deuxième lecture",
	},
		end: happening{typeID: 60120, en: "Second reading", fr: "Deuxième lecture", completes: true}}
	if !second.IsZero() {
		reading.events = append(reading.events, happening{
			typeID: 60123, en: "Referral to committee", fr: "Renvoi en comité", at: second, committee: &b.senate,
		})
	}
	legs = append(legs, reading)
	study := leg{
		id: 60049, en: "Consideration in committee", fr: "Examen en comité", begins: second, committee: &b.senate,
		meetings: 1 + b.id%3,
		end: happening{
			typeID: 60124, en: "Committee report presented with amendments",
			fr: "Présentation du rapport de comité avec des amendements", completes: true,
			extra: [2]string{"With observations", "Avec observations"},
		}}
	if !third.IsZero() {
		study.ends = second.Add(third.Sub(second) / 2)
	}
	if !second.IsZero() && b.id%13 == 0 {
		study.events = append(study.events, happening{
			typeID: 60132, en: "Recommittal of bill to committee adopted", fr: "Adoption du renvoi du projet de loi en comité",
			at: second.AddDate(0, 0, 1),
		})
	}
	last := leg{
		id: 60031, en: "Third reading", fr: "Troisième lecture", begins: study.ends, ends: third,
		debate: [2]string{"Debate at third reading", "Débat à l'étape de la troisième lecture"},
		end: happening{
			typeID: 60134, en: "Third reading", fr: "Troisième lecture", completes: true,
			extra: [2]string{"Bill passed by the Senate without amendment", "Projet de loi adopté par le Sénat sans amendement"},
		}}
	if !second.IsZero() {
		legs = append(legs, study)
		if b.id%4 == 0 && !third.IsZero() {
			adopted := study.ends.Add(third.Sub(study.ends) / 2)
			legs = append(legs, leg{
				id: 60032, en: "Report stage", fr: "Étape du rapport", begins: study.ends, ends: adopted,
				debate: [2]string{"Debate at consideration of committee report", "Débat à l'étape de l'étude du rapport de comité"},
				end: happening{
					typeID: 60130, en: "Committee report adopted", fr: "Adoption du rapport de comité", completes: true,
				}})
			last.begins = adopted
		}
	}
	legs = append(legs, last)
	for i := range legs {
		legs[i].chamber = 2
	}
	return legs
}

package server

import (
	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// billDetail is api.BillDetail: a bill with the details of LEGISinfo's record of it.
type billDetail struct {
	api.Bill
	Stages                []api.Stage         `json:"stages"`
	Votes                 []api.Vote          `json:"votes"`
	Publications          []api.Publication   `json:"publications"`
	Record                api.BillRecord      `json:"record"`
	Outcome               *api.BillOutcome    `json:"outcome"`
	ReinstatedFrom        *api.Reinstatement  `json:"reinstated_from"`
	ReinstatedAs          *api.Reinstatement  `json:"reinstated_as"`
	Form                  api.Bilingual       `json:"form"`
	Notes                 api.Bilingual       `json:"notes"`
	Readings              []api.BillReading   `json:"readings"`
	Decisions             []api.BillDecision  `json:"decisions"`
	Sittings              []api.BillSitting   `json:"sittings"`
	Events                []api.BillEvent     `json:"events"`
	LatestEvent           *api.BillEvent      `json:"latest_event"`
	Speeches              []api.BillSpeech    `json:"speeches"`
	CommitteeMeetings     []api.BillMeeting   `json:"committee_meetings"`
	Messages              []api.BillMessage   `json:"messages"`
	Rulings               []api.BillRuling    `json:"rulings"`
	References            []api.BillReference `json:"references"`
	Bibliography          []api.BillNotice    `json:"bibliography"`
	SenatePreStudy        *api.SenatePreStudy `json:"senate_pre_study"`
	LegislativeSummaryURL *api.SummaryLinks   `json:"legislative_summary_url"`
}

// apiBillDetail converts a bill with its record. It is longer than 60 lines because it converts the fields one by one.
func apiBillDetail(b *parliament.StoredBill, c *parliament.Course) billDetail {
	d := billDetail{
		Bill: apiBill(*b), Stages: each(c.Stages, apiStage), Votes: each(c.Votes, apiVote),
		Publications: each(c.Publications, func(p parliament.Publication) api.Publication {
			return api.Publication{ID: p.ID, Name: api.Bilingual(p.Name), URL: p.URL}
		}),
		Record:         api.BillRecord{Complete: c.Complete, FetchedAt: c.RecordFetchedAt},
		ReinstatedFrom: apiReinstatement(c.ReinstatedFrom), ReinstatedAs: apiReinstatement(c.ReinstatedAs),
		Form: api.Bilingual(c.Form), Notes: api.Bilingual(c.Notes),
		Readings: each(c.Readings, func(o parliament.Reading) api.BillReading {
			return api.BillReading{
				Chamber: api.BillReadingChamber(o.Chamber), Reading: api.BillReadingReading(o.Reading),
				PassedOn: o.PassedOn,
			}
		}),
		Decisions: each(c.Decisions, func(o parliament.Decision) api.BillDecision {
			return api.BillDecision{
				Chamber: api.BillDecisionChamber(o.Chamber), Stage: api.Bilingual(o.Stage),
				Motion: api.Bilingual(o.Motion), Result: api.BillDecisionResult(o.Result),
				Method:   api.Bilingual(o.Method),
				Division: o.Division, Date: o.Date, Sitting: o.Sitting,
			}
		}),
		Sittings: each(c.Sittings, func(o parliament.Sitting) api.BillSitting {
			return api.BillSitting{
				Chamber: api.BillSittingChamber(o.Chamber), Stage: api.Bilingual(o.Stage), Name: api.Bilingual(o.Name),
				Number: o.Number, Date: o.Date, Note: api.Bilingual(o.Note),
				URL: api.Bilingual(o.URL),
			}
		}),
		Events: each(c.Events, apiBillEvent),
		Speeches: each(c.Speeches, func(o parliament.Speech) api.BillSpeech {
			return api.BillSpeech{
				Chamber: api.BillSpeechChamber(o.Chamber), Stage: api.Bilingual(o.Stage), Kind: api.Bilingual(o.Kind),
				Sponsor: o.Sponsor, PersonID: o.PersonID, Name: o.Name,
				Politician: o.Politician, Caucus: api.Bilingual(o.Caucus), Date: o.Date, At: o.At, Sitting: o.Sitting,
				URL: api.Bilingual(o.URL),
			}
		}),
		CommitteeMeetings: each(c.Meetings, func(o parliament.Meeting) api.BillMeeting {
			return api.BillMeeting{
				Chamber: api.BillMeetingChamber(o.Chamber), Stage: api.Bilingual(o.Stage),
				Committee: api.Bilingual(o.Committee), Acronym: o.Acronym, Number: o.Number, Date: o.Date, URL: o.URL,
			}
		}),
		Messages: each(c.Messages, func(o parliament.Message) api.BillMessage {
			return api.BillMessage{
				Chamber: o.Chamber, Name: api.Bilingual(o.Name), Date: o.Date, At: o.At, Sitting: o.Sitting,
				URL: api.Bilingual(o.URL),
			}
		}),
		Rulings: each(c.Rulings, func(o parliament.Ruling) api.BillRuling {
			return api.BillRuling{
				Chamber: api.BillRulingChamber(o.Chamber), Date: o.Date, At: o.At, Sitting: o.Sitting,
				URL: api.Bilingual(o.URL),
			}
		}),
		References: each(c.References, func(o parliament.Reference) api.BillReference {
			return api.BillReference{
				Kind: api.Bilingual(o.Kind), Title: api.Bilingual(o.Title), URL: api.Bilingual(o.URL),
			}
		}),
		Bibliography: each(c.Bibliography, func(o parliament.Notice) api.BillNotice {
			return api.BillNotice{
				Title: o.Title, Author: o.Author, Publication: o.Publication, Volume: o.Volume, Date: o.Date,
				Classification: o.Classification, Language: o.Language, Online: o.Online,
			}
		}),
	}
	if o := c.Outcome; o != nil {
		d.Outcome = &api.BillOutcome{Code: api.BillOutcomeCode(o.Code), On: o.On}
	}
	if o := c.LatestEvent; o != nil {
		e := apiBillEvent(*o)
		d.LatestEvent = &e
	}
	if o := c.PreStudy; o != nil {
		d.SenatePreStudy = &api.SenatePreStudy{
			InProgress: o.InProgress, Committee: o.Committee, Name: api.Bilingual(o.Name),
		}
	}
	if o := c.SummaryURL; o != nil {
		d.LegislativeSummaryURL = &api.SummaryLinks{En: o.En, Fr: o.Fr}
	}
	return d
}

func apiReinstatement(r *parliament.Reinstatement) *api.Reinstatement {
	if r == nil {
		return nil
	}
	return &api.Reinstatement{
		Bill: r.Bill, Session: r.Session, Number: r.Number, LegisinfoID: r.LegisinfoID, LegisinfoURL: r.LegisinfoURL,
		Held: r.Held, Status: api.Bilingual(r.Status),
	}
}

func apiBillEvent(o parliament.Event) api.BillEvent {
	return api.BillEvent{
		Chamber: o.Chamber, Stage: api.Bilingual(o.Stage), Name: api.Bilingual(o.Name), Date: o.Date, At: o.At,
		CompletesStage: o.Completes, DefeatsBill: o.Defeats, Committee: o.Committee,
		Report: o.Report, ReportURL: api.Bilingual(o.ReportURL), Sitting: o.Sitting, Amendments: o.Amendments,
		Note: api.Bilingual(o.Note),
	}
}

func apiStage(s parliament.Stage) api.Stage {
	return api.Stage{
		Chamber: api.StageChamber(s.Chamber), Name: api.Bilingual(s.Name), State: api.StageState(s.State),
		StateSince: s.StateSince, StartedOn: s.StartedOn, CompletedOn: s.EndedOn, Committee: s.Committee,
	}
}

func apiVote(v parliament.Vote) api.Vote {
	return api.Vote{
		Number: v.Number, Chamber: api.VoteChamber(v.Chamber), Stage: api.Bilingual(v.Stage),
		Motion: api.Bilingual(v.Motion), Subject: api.Bilingual(v.Subject), Date: v.Date, At: v.At, Sitting: v.Sitting,
		Yeas: v.Yeas, Nays: v.Nays, Paired: v.Paired, Abstentions: v.Abstentions, Total: v.Total,
		Result: api.VoteResult(v.Result), URL: v.URL,
	}
}

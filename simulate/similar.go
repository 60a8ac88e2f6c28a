package simulate

import (
	"fmt"
)

// similar are the related bills, of which a record says little.
func (w *World) similar(b *bill) []any {
	list := []any{}
	for i, id := range b.related {
		var parliament, number int
		_, _ = fmt.Sscanf(id, "%d-1/C-%d", &parliament, &number) // written by describe
		o := record{}
		for _, name := range similarEmpty {
			o[name] = nil
		}
		for _, name := range similarTexts {
			o.in(name, nil, nil)
		}
		for _, name := range similarFalse {
			o[name] = false
		}
		for _, name := range similarZero {
			o[name] = 0
		}
		introduced := b.session.begins.AddDate(-2, 1, number)
		o.set(record{
			"Id": parliament*100_000 + 9_000 + number, "NumberCode": fmt.Sprintf("C-%d", number), "NumberPrefix": "C",
			"Number": number, "ParliamentNumber": parliament, "SessionNumber": 1,
			"StatusId": houseAtSecond.id, "LatestCompletedMajorStageId": 60043,
			"LatestCompletedMajorStageChamberOrganizationId": 1,
			"LatestCompletedMajorStageNameWithChamberSuffix": "First reading in the House of Commons",
			"LatestCompletedBillStageId":                     60029, "LatestCompletedBillStageChamberOrganizationId": 1,
			"LatestCompletedBillStageDateTime": clock(introduced).Format(dayOnly), "OriginatingChamberOrganizationId": 1,
			"IsHouseBill": true, "PassedFirstChamberFirstReading": true,
			"PassedHouseFirstReadingDateTime": clock(introduced).Format(dayOnly), "LatestBillEventDateTime": yearOne,
			"SponsorPersonName": "",
			"BillStages":        record{"BillId": 0},
		})
		if b.id%5 == 0 { // a Senate bill
			o.set(record{
				"NumberCode": fmt.Sprintf("S-%d", number), "NumberPrefix": "S", "IsHouseBill": false, "IsSenateBill": true,
				"OriginatingChamberOrganizationId": 2, "PassedHouseFirstReadingDateTime": nil,
				"PassedSenateFirstReadingDateTime":               clock(introduced).Format(dayOnly),
				"LatestCompletedMajorStageChamberOrganizationId": 2, "LatestCompletedBillStageChamberOrganizationId": 2})
		} else if i == 0 && b.id%2 == 0 { // one that became law, by way of the Senate
			for j, key := range stageKeys[1:] {
				o[key] = clock(introduced.AddDate(0, 0, 20*(j+1))).Format(dayOnly)
			}
			o["ReceivedRoyalAssent"] = true
		}
		o.in("LongTitle", b.titleEn, b.titleFr)
		o.in("ShortTitle", "", "")
		o.in("StatusName", houseAtSecond.en, houseAtSecond.fr)
		o.in("LatestCompletedMajorStageName", "First reading", "Première lecture")
		o.in("LatestCompletedBillStageName", "First reading", "Première lecture")
		o.in("LatestCompletedBillStageChamberName", "House of Commons", "Chambre des communes")
		o.in("BillDocumentTypeName", b.kindEn, b.kindFr)
		list = append(list, o)
	}
	return list
}

// What related bills lack.
var (
	similarEmpty = append([]string{
		"SponsorSenateSystemAffiliationId", "SponsorPersonId", "SponsorPersonOfficialFirstName",
		"SponsorPersonOfficialLastName", "SponsorPersonUsualFirstName", "SponsorPersonMiddleName", "SponsorAffiliationRoleId",
		"SponsorConstituencyId", "LatestBillEventStageId", "LatestBillEventCommitteeDetails", "LatestBillEventMeetingNumber",
		"ReinstatedFromBillDocumentId", "ReinstatedFromBillNumberCode", "ReinstatedAsBillDocumentId",
		"ReinstatedAsBillNumberCode", "StatuteYear", "StatuteChapter", "Publications", "HouseVoteDetails",
		"SenateVoteDetails", "HouseRulingAndStatements", "SenateRulingAndStatements", "WebReferences", "BibliographicNotices",
		"SenatePreStudyCommitteeDetails", "SimilarBills",
	}, stageKeys...)
	similarTexts = []string{
		"LatestCompletedMajorStageChamberName", "OngoingStageName", "OriginatingChamberName", "SponsorPersonShortHonorific",
		"SponsorAffiliationTitle", "SponsorAffiliationRoleName", "SponsorConstituencyName",
		"LatestBillEventTypeName", "LatestBillEventChamberName", "LatestBillEventAdditionalInformation", "BillFormName",
		"Notes", "ShortLegislativeSummary",
	}
	similarFalse = []string{
		"IsInSenatePreStudy", "IsGovernmentBill", "IsHouseBill", "IsSenateBill", "DidReinstateFromPreviousSession",
		"DidReinstateInNextSession", "PassedFirstChamberFirstReading", "PassedFirstChamberSecondReading",
		"PassedFirstChamberThirdReading", "PassedSecondChamberFirstReading", "PassedSecondChamberSecondReading",
		"PassedSecondChamberThirdReading", "ReceivedRoyalAssent", "ConsideredDuringPreviousSitting", "IsProForma",
		"IsFullLegislativeSummaryAvailable", "IsDroppedFromSenateOrderPaper", "IsSessionOngoing",
	}
	similarZero = []string{
		"OngoingStageId", "BillDocumentTypeId", "LatestBillEventEventTypeId", "LatestBillEventChamberOrganizationId",
		"LatestBillEventNumberOfAmendments", "LatestBillEventAmendmentNoteId", "BillFormId",
	}
)

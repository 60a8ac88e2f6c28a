package legisinfo

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// briefVolatile are further fields of brief items that are not about the bill: they change with the day of the request.
var briefVolatile = append([]string{"ConsideredDuringPreviousSitting"}, volatile...)

// parseBrief parses an item with the field names of a bill's own record: NumberCode and Id where the list's own form
// has BillNumberFormatted and BillId. LEGISinfo has returned both forms from one address. Most brief items lack the
// latest activity, and their sponsor's name may be blank.
func parseBrief(raw []byte) (Item, error) {
	f, err := record(raw)
	if err != nil {
		return Item{}, err
	}
	title := f.both("LongTitle")
	short := f.both("ShortTitle")
	kind := f.names("BillDocumentTypeName")
	status := f.names("StatusName")
	item := Item{
		ID: f.count("Id"), Session: f.session(), Number: f.mark("NumberCode"), Brief: true,
		LongTitleEn: title.En, LongTitleFr: title.Fr, ShortTitleEn: short.En, ShortTitleFr: short.Fr,
		TypeEn: kind.En, TypeFr: kind.Fr, StatusEn: status.En, StatusFr: status.Fr,
		Chamber: f.chamber("OriginatingChamberOrganizationId"), SponsorID: f.count("SponsorPersonId"),
	}
	if sponsor := f.words("SponsorPersonName", 200); sponsor != "" {
		item.SponsorName = strings.TrimSpace(f.words("SponsorPersonShortHonorificEn", 100) + " " + sponsor)
	}
	switch {
	case item.ID == 0:
		return item, errors.New("no BillId, and no Id")
	case item.Number == "":
		return item, errors.New("no BillNumberFormatted, and no NumberCode")
	case item.Session == "":
		return item, errors.New("no ParliamentNumber and SessionNumber")
	}
	for name, into := range map[string]*string{
		"LatestBillEventDateTime": &item.LatestActivity, "PassedHouseFirstReadingDateTime": &item.HouseFirst,
		"PassedSenateFirstReadingDateTime": &item.SenateFirst, "ReceivedRoyalAssentDateTime": &item.RoyalAssent,
	} {
		t, ok, err := ParseTime(f.text(name))
		switch {
		case err != nil:
			return item, fmt.Errorf("%s: %w", name, err)
		case ok && into == &item.LatestActivity:
			*into = t.Format(time.RFC3339Nano)
		case ok:
			*into = t.Format(time.DateOnly)
		}
	}
	item.Hash, err = hash(raw, briefVolatile)
	return item, err
}

// Agrees reports whether an item in the list's own form has the same data as a brief item. Fields that the brief item
// lacks do not matter.
func (i *Item) Agrees(brief *Item) bool {
	if i.Brief || i.ID != brief.ID || i.Session != brief.Session || i.Number != brief.Number {
		return false
	}
	for _, said := range [][2]string{
		{brief.LongTitleEn, i.LongTitleEn}, {brief.LongTitleFr, i.LongTitleFr}, {brief.ShortTitleEn, i.ShortTitleEn},
		{brief.ShortTitleFr, i.ShortTitleFr},
		{brief.TypeEn, i.TypeEn}, {brief.TypeFr, i.TypeFr}, {brief.StatusEn, i.StatusEn}, {brief.StatusFr, i.StatusFr},
		{brief.Chamber, i.Chamber},
		{brief.LatestActivity, i.LatestActivity}, {brief.HouseFirst, i.HouseFirst}, {brief.SenateFirst, i.SenateFirst},
		{brief.RoyalAssent, i.RoyalAssent},
	} {
		if said[0] != "" && said[0] != said[1] {
			return false
		}
	}
	return true
}

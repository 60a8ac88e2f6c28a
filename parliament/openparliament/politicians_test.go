package openparliament_test

import (
	"testing"

	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// The record is made up, in the form of the source's own.
const person = `{"name": "Ada Byron", "given_name": "Ada", "family_name": "Byron", "url": "/politicians/ada-byron/", "image": "/media/ada.jpg", "other_info": {"parl_mp_id": ["77"], "twitter": ["ada"]},
 "memberships": [{"start_date": "2015-10-19", "end_date": null, "party": {"short_name": {"en": "Analytical", "fr": "Analytique"}}, "riding": {"name": {"en": "Marylebone"}, "province": "ON"}, "label": {"en": "Analytical MP for Marylebone"}}]}`

func TestParsePerson(t *testing.T) {
	t.Parallel()
	p, err := openparliament.ParsePerson([]byte(person))
	if err != nil || p.PersonID != 77 || p.Slug != "ada-byron" || len(p.Memberships) != 1 ||
		p.Memberships[0].PartyFr != "Analytique" || p.Memberships[0].Start != "2015-10-19" {
		t.Errorf("%+v, %v", p, err)
	}
	// People without an id, a party, a riding or a membership are fine.
	for raw, id := range map[string]int{
		`{"name": "B", "url": "/politicians/b/"}`:                                                                       0,
		`{"name": "B", "url": "/politicians/b/", "other_info": {"parl_mp_id": []}}`:                                     0,
		`{"name": "B", "url": "/politicians/b/", "other_info": {"parl_mp_id": ["x"]}}`:                                  0,
		`{"name": "B", "url": "/politicians/b/", "other_info": {"parl_mp_id": ["12", "13"]}}`:                           12,
		`{"name": "B", "url": "/politicians/b/", "memberships": [{"party": null, "riding": null, "start_date": null}]}`: 0,
	} {
		if p, err := openparliament.ParsePerson([]byte(raw)); err != nil || p.PersonID != id {
			t.Errorf("%s: %+v, %v", raw, p, err)
		}
	}
	for _, raw := range []string{
		`{"url": "/politicians/b/"}`, `{"name": "B", "url": "https://elsewhere/politicians/b/"}`,
		`{"name": "B", "url": "/politicians/../x/"}`, `[]`, `{"name": 1}`,
	} {
		if p, err := openparliament.ParsePerson([]byte(raw)); err == nil {
			t.Errorf("%s was taken: %+v", raw, p)
		}
		if m, err := openparliament.ParseMember([]byte(raw)); err == nil {
			t.Errorf("%s was taken: %+v", raw, m)
		}
	}
}

// FuzzParsePolitician parses arbitrary politicians: what is accepted has a name and an address.
func FuzzParsePolitician(f *testing.F) {
	for _, s := range []string{
		person, `{"name": "B", "url": "/politicians/b/"}`,
		`{"current_party": {"short_name": {"en": "x"}}, "current_riding": {"province": "QC", "name": {}}, "name": "B", "url": "/politicians/b/"}`,
		`null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := openparliament.ParsePerson(raw); err == nil && (p.Name == "" || p.Slug == "" || p.PersonID < 0) {
			t.Errorf("%s: %+v", raw, p)
		}
		if m, err := openparliament.ParseMember(raw); err == nil && (m.Name == "" || m.Slug == "") {
			t.Errorf("%s: %+v", raw, m)
		}
	})
}

package openparliament_test

import (
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// FuzzParseBill feeds anything through the reader of the bills list.
func FuzzParseBill(f *testing.F) {
	for _, s := range []string{
		`{"session": "39-1", "number": "C-23A", "legisinfo_id": 77, "introduced": "2007-03-02", "name": {"en": "An Act", "fr": "Loi"}, "url": "/bills/39-1/C-23A/"}`,
		`{"introduced": null, "legisinfo_id": null}`, `{"introduced": "2007-02-30"}`, `{"introduced": ""}`, `{"name": null}`,
		`{"session": 39}`, `[]`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := openparliament.ParseBill(raw)
		if err != nil {
			return
		}
		if _, err := time.Parse(time.DateOnly, got.Introduced); got.Introduced != "" && err != nil {
			t.Errorf("%s: introduced %q", raw, got.Introduced)
		}
		if again, err := openparliament.ParseBill(raw); err != nil || again != got {
			t.Errorf("%s: %+v, then %+v (%v)", raw, got, again, err)
		}
	})
}

package simulate

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// slug is a member's name in addresses; namesakes are told apart by a number.
func (w *World) slug(m member) string {
	plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), m.name())
	if err != nil {
		plain = m.name()
	}
	base := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z':
			return r
		}
		return -1
	}, strings.ToLower(plain))
	for _, other := range w.members {
		if other.id == m.id {
			break
		}
		if other.name() == m.name() {
			return fmt.Sprintf("%s-%d", base, m.id%1000)
		}
	}
	return base
}

// current says whether somebody is a member now: all but every tenth.
func (m member) current() bool { return m.id%10 != 0 }

// politicians serves the list of members and the record of each.
func (w *World) politicians(rw http.ResponseWriter, r *http.Request) {
	if slug := strings.Trim(strings.TrimPrefix(r.URL.Path, "/politicians/"), "/"); slug != "" {
		for _, m := range w.members {
			if w.slug(m) == slug {
				writeJSON(rw, w.person(m))
				return
			}
		}
		http.NotFound(rw, r)
		return
	}
	query := r.URL.Query()
	var list []any
	for _, m := range w.members {
		if include := query.Get("include"); include == "all" || m.current() == (include != "former") {
			list = append(list, map[string]any{
				"name": m.name(), "url": "/politicians/" + w.slug(m) + "/", "image": nil,
				"current_party":  map[string]any{"short_name": map[string]any{"en": m.party}},
				"current_riding": map[string]any{"province": "ON", "name": map[string]any{"en": m.riding}},
			})
		}
	}
	limit, offset := 20, 0
	if n, err := strconv.Atoi(query.Get("limit")); err == nil {
		limit = max(1, min(n, 500))
	}
	if n, err := strconv.Atoi(query.Get("offset")); err == nil {
		offset = max(0, n)
	}
	var next any
	if offset+limit < len(list) {
		query.Set("offset", strconv.Itoa(offset+limit))
		next = "/politicians/?" + query.Encode()
	}
	writeJSON(rw, map[string]any{"objects": list[min(offset, len(list)):min(offset+limit, len(list))], "pagination": map[string]any{"limit": limit, "offset": offset, "next_url": next, "previous_url": nil}})
}

func (w *World) person(m member) map[string]any {
	term := map[string]any{
		"start_date": "2025-04-28", "end_date": nil, "party": map[string]any{"name": map[string]any{"en": m.party}, "short_name": map[string]any{"en": m.party}},
		"label": map[string]any{"en": m.party + " MP for " + m.riding}, "riding": map[string]any{"name": map[string]any{"en": m.riding}, "province": "ON"},
	}
	if !m.current() {
		term["start_date"], term["end_date"] = "2019-10-21", "2025-04-27"
	}
	return map[string]any{
		"name": m.name(), "given_name": m.first, "family_name": m.last, "image": nil, "url": "/politicians/" + w.slug(m) + "/", "links": []any{},
		"other_info": map[string]any{"parl_mp_id": []string{strconv.Itoa(m.id)}}, "memberships": []any{term},
	}
}

// decisions are the divisions at a stage that a bill has passed: one for each reading but the first, in the House.
func (b *bill) decisions(s stage, done bool) []any {
	if !done || s.kind != houseSecond && s.kind != houseThird {
		return []any{}
	}
	names := map[int][2]string{houseSecond: {"2nd reading", "2e lecture"}, houseThird: {"3rd reading and adoption", "3e lecture et adoption"}}[s.kind]
	return []any{map[string]any{
		"DecisionMotionTitleEn": names[0] + " of Bill " + b.code(), "DecisionMotionTitleFr": names[1] + " du projet de loi " + b.code(), "DecisionResultNameEn": "Agreed To", "DecisionMethodNameEn": "On recorded division",
		"DivisionNumber": 1 + b.id%700*2 + s.kind, "DivisionVotesYeas": 160 + b.id%150, "DivisionVotesNays": 20 + b.id%110, "DivisionVotePaired": b.id % 7,
		"DecisionSittingDate": clock(s.at).Format("2006-01-02") + "T00:00:00", "DecisionSittingNumber": strconv.Itoa(1 + b.id%200),
	}}
}

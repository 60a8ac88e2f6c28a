package simulate

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// slug is a name in addresses; namesakes are told apart by a number.
func (m member) slugAmong(before []member) string {
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
	for _, other := range before {
		if other.name() == m.name() {
			return fmt.Sprintf("%s-%d", base, m.id%1000)
		}
	}
	return base
}

// current says whether somebody is a member now: all but every tenth, and those who left.
func (m member) current() bool { return m.id%10 != 0 && !m.left }

// ChangeMember moves a member to another party, if one is named, and makes the member leave the House or come back. It
// reports whether there is such a member. Bills keep the member's data of their time.
func (w *World) ChangeMember(slug, party string, left bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.members, func(m member) bool { return m.slug == slug })
	if i < 0 {
		return false
	}
	if w.changed == nil {
		w.changed = map[string]member{}
	}
	m, ok := w.changed[slug]
	if !ok {
		m = w.members[i]
	}
	m.party, m.left = cmp.Or(party, m.party), left
	w.changed[slug] = m
	return true
}

// everybody are all members as they are now.
func (w *World) everybody() []member {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.members)
	for i, m := range all {
		if now, ok := w.changed[m.slug]; ok {
			all[i] = now
		}
	}
	return all
}

// politicians serves the list of members; with include=all or include=former of others too, but of all only their
// names.
func (w *World) politicians(rw http.ResponseWriter, r *http.Request) {
	include := r.URL.Query().Get("include")
	var list []member
	for _, m := range w.everybody() {
		if include == "all" || m.current() == (include != "former") {
			list = append(list, m)
		}
	}
	page(rw, r, list, 338, func(m member) map[string]any {
		out := map[string]any{"name": m.name(), "url": "/politicians/" + m.slug + "/"}
		if include == "" {
			out["image"] = nil
			out["current_party"] = map[string]any{"short_name": map[string]any{"en": m.party}}
			out["current_riding"] = map[string]any{"province": "ON", "name": map[string]any{"en": m.riding}}
		}
		return out
	})
}

// politician serves the record of one.
func (w *World) politician(rw http.ResponseWriter, r *http.Request) {
	for _, m := range w.everybody() {
		if m.slug == r.PathValue("slug") {
			writeJSON(rw, m.record())
			return
		}
	}
	http.NotFound(rw, r)
}

func (m member) record() map[string]any {
	term := map[string]any{
		"url": fmt.Sprintf("/politicians/memberships/%d/", m.id), "start_date": "2025-04-28", "end_date": nil,
		"party":  map[string]any{"name": map[string]any{"en": m.party}, "short_name": map[string]any{"en": m.party}},
		"label":  map[string]any{"en": m.party + " MP for " + m.riding},
		"riding": map[string]any{"name": map[string]any{"en": m.riding}, "province": "ON", "id": 0},
	}
	if !m.current() {
		term["start_date"], term["end_date"] = "2019-10-21", "2025-04-27"
	}
	return map[string]any{
		"name": m.name(), "given_name": m.first, "family_name": m.last, "gender": "", "image": nil,
		"url": "/politicians/" + m.slug + "/", "links": []any{},
		"other_info": map[string]any{"parl_mp_id": []string{strconv.Itoa(m.id)}}, "memberships": []any{term},
		"related": map[string]any{
			"speeches_url": "/speeches/?politician=" + m.slug, "ballots_url": "/votes/ballots/?politician=" + m.slug,
			"sponsored_bills_url": "/bills/?sponsor_politician=" + m.slug,
			"activity_rss_url":    fmt.Sprintf("/politicians/%d/rss/activity/", m.id),
		},
	}
}

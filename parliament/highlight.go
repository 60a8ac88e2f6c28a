package parliament

import (
	"cmp"
	"context"
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// highlight adds the texts of each hit with the matching words marked. It leaves out texts that have none.
func (s *Store) highlight(ctx context.Context, q string, hits []SearchHit) error {
	type at struct {
		hit             int
		field, language string
		text            []rune
	}
	var places []at
	p := sql.HeadlinesParams{Q: q}
	add := func(hit int, field, language string, text *string) {
		if text == nil {
			return
		}
		p.Places = append(p.Places, int32(len(places))) //nolint:gosec // a few hundred
		original := []rune(clip(*text, 20_000))
		options := "StartSel=\x02, StopSel=\x03, HighlightAll=true"
		if field == "summary" {
			options = "StartSel=\x02, StopSel=\x03, FragmentDelimiter=\x04, MaxFragments=2, MaxWords=25, MinWords=10"
		}
		p.Languages = append(p.Languages, language)
		p.Texts = append(p.Texts, string(markable(original)))
		p.Options = append(p.Options, options)
		places = append(places, at{hit, field, language, original})
	}
	for i, h := range hits {
		b := h.Bill
		add(i, "short_title", "en", b.ShortTitle.En)
		add(i, "short_title", "fr", b.ShortTitle.Fr)
		add(i, "title", "en", b.Title.En)
		add(i, "title", "fr", b.Title.Fr)
		add(i, "summary", "en", plainText(value(b.Summary.En)))
		add(i, "summary", "fr", plainText(value(b.Summary.Fr)))
	}
	if len(places) == 0 {
		return nil
	}
	rows, err := s.q.Headlines(ctx, p)
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b sql.HeadlinesRow) int { return cmp.Compare(a.Place, b.Place) })
	for _, row := range rows {
		if !strings.Contains(row.Headline, "\x02") {
			continue
		}
		where := places[row.Place]
		escaped := html.EscapeString(restore(row.Headline, where.text))
		marked := strings.NewReplacer("\x02", "<mark>", "\x03", "</mark>", "\x04", " … ").Replace(escaped)
		hits[where.hit].Highlights = append(hits[where.hit].Highlights, Highlight{
			Field: where.field, Language: where.language, HTML: marked,
		})
	}
	return nil
}

// markable returns a text of the same length in which Postgres can mark words. In the locale C, Postgres takes
// characters such as ’ for letters.
func markable(text []rune) []rune {
	out := make([]rune, len(text))
	for i, r := range text {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), r == '\'':
			out[i] = r
		case r == '’', r == '‘', r == 'ʼ':
			out[i] = '\''
		default:
			out[i] = ' '
		}
	}
	return out
}

// restore puts the original characters back into a marked text.
func restore(marked string, text []rune) string {
	plain := string(markable(text))
	var out strings.Builder
	for i, fragment := range strings.Split(marked, "\x04") {
		if i > 0 {
			out.WriteByte(4)
		}
		at := strings.Index(plain, strings.NewReplacer("\x02", "", "\x03", "").Replace(fragment))
		if at < 0 {
			out.WriteString(fragment)
			continue
		}
		place := utf8.RuneCountInString(plain[:at])
		for _, r := range fragment {
			if r == 2 || r == 3 {
				out.WriteRune(r)
				continue
			}
			out.WriteRune(text[place])
			place++
		}
	}
	return out.String()
}

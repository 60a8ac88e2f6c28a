package parliament

import (
	"strings"
	"sync"
	"unicode"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
)

// plainText makes plain text of a title: entities decoded, tags dropped (a raised o becomes º), white space folded.
// nil if nothing is left.
func plainText(s string) *string {
	if s == "" {
		return nil
	}
	if strings.ContainsAny(s, "<&") {
		s = stripTags(s)
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	s = strings.ToValidUTF8(s, "\uFFFD")
	if s == "" {
		return nil
	}
	return &s
}

func stripTags(s string) string {
	var b strings.Builder
	raised := false
	for t := html.NewTokenizer(strings.NewReader(s)); ; {
		switch t.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			text := html.UnescapeString(string(t.Raw()))
			if raised && text == "o" {
				text = "º"
			}
			b.WriteString(text)
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			end := strings.HasPrefix(string(t.Raw()), "</")
			name, _ := t.TagName()
			switch string(name) {
			case "sup":
				raised = !end
			case "br", "p", "div", "li":
				b.WriteByte(' ')
			}
		case html.CommentToken, html.DoctypeToken:
		}
	}
}

var htmlPolicy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.RequireNoFollowOnLinks(true)
	return p
})

// cleanHTML makes an HTML text safe to show: no scripts, styles, frames or event handlers. nil if nothing is left.
func cleanHTML(s string) *string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	s = strings.Map(func(r rune) rune {
		if r == 0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(htmlPolicy().Sanitize(s))
	if plainText(s) == nil {
		return nil
	}
	return &s
}

package parliament

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"

	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// plainText converts a title to plain text: it decodes entities, drops tags (a superscript o becomes º) and collapses
// white space. It returns nil if nothing is left.
func plainText(s string) *string {
	if s == "" {
		return nil
	}
	if strings.ContainsAny(s, "<&") {
		s = stripTags(s)
	}
	s = seen(strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if s == "" {
		return nil
	}
	return &s
}

// seen removes invisible characters, such as those that change the direction of text.
func seen(s string) string { return upstream.Cut(s, len(s)) }

// mark checks a short identifier of letters and digits, such as a committee's acronym; nil if s is not one. Parsers
// accept no others, but an older version of the program may have stored any text.
func mark(s string) *string {
	if !legisinfo.Marks.MatchString(s) {
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

// htmlPolicy allows text, its structure, and links to the web. It allows nothing that loads a resource, such as images
// and styles: a request for it would reveal the reader's address.
var htmlPolicy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "wbr", "hr", "div", "span", "section",
		"h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "li", "dl", "dt", "dd",
		"b", "strong", "i", "em", "u", "s", "small", "sub", "sup", "abbr", "cite", "q", "code", "del", "ins", "mark",
		"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td")
	p.AllowAttrs("lang").Matching(languages).Globally()
	p.AllowAttrs("colspan", "rowspan").Matching(spans).OnElements("th", "td")
	p.AllowAttrs("href").Matching(webAddress).OnElements("a")
	p.AllowURLSchemes("http", "https")
	p.AllowRelativeURLs(false)
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
})

var (
	languages  = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z]{2})?$`)
	spans      = regexp.MustCompile(`^[1-9][0-9]?$`)
	webAddress = regexp.MustCompile(`^(?i:https?)://[^/?#@\\]+([/?#].*)?$`) // of no user: name@host is there to mislead
)

// cleanHTML makes an HTML text safe to show: without scripts, styles, frames, images and event handlers. It returns nil
// if nothing is left.
func cleanHTML(s string) *string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	// entities are characters only then
	s = strings.TrimSpace(seen(htmlPolicy().Sanitize(seen(strings.ToValidUTF8(s, "\uFFFD")))))
	if plainText(s) == nil {
		return nil
	}
	return &s
}

// withoutImages cleans stored HTML again. An older version of the program allowed images.
func withoutImages(b Bilingual) Bilingual {
	for _, s := range []**string{&b.En, &b.Fr} {
		if *s != nil && strings.Contains(**s, "<img") {
			*s = cleanHTML(**s)
		}
	}
	return b
}

// cleanChanges cleans the changes of summaries in the same way.
func cleanChanges(changes []Change) {
	for i := range changes {
		c := &changes[i]
		if c.Field != "summary" {
			continue
		}
		for _, side := range []*json.RawMessage{&c.From, &c.To} {
			var b Bilingual
			if !bytes.Contains(*side, []byte("img")) || json.Unmarshal(*side, &b) != nil {
				continue
			}
			if clean, err := json.Marshal(withoutImages(b)); err == nil {
				*side = clean
			}
		}
	}
}

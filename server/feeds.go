package server

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/feeds"
	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

func (h *handlers) ListFeeds(ctx context.Context, _ api.ListFeedsRequestObject) (api.ListFeedsResponseObject, error) {
	all, err := h.cfg.Store.Feeds(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListFeeds200JSONResponse{Items: each(all, func(f parliament.FeedSummary) api.Feed {
		return api.Feed{Name: f.Name, Title: api.Bilingual(f.Title), Items: f.Items, UpdatedAt: f.UpdatedAt}
	})}, nil
}

var feedTypes = map[string]string{
	"rss": "application/rss+xml", "atom": "application/atom+xml", "json": "application/feed+json",
}

// renderedFeed is a feed as it is cached, with feedAddress in place of the server's address.
type renderedFeed struct {
	contentType, digest string
	// modified is when any feed last changed. No feed has changed since, and every later change has another time.
	modified time.Time
	body     []byte
}

// sentFeed is a feed as it is sent.
type sentFeed struct {
	*renderedFeed
	tag     string
	address []byte // the server's address, escaped for the body
}

// VisitGetFeedResponse implements the response of the operation.
func (f *sentFeed) VisitGetFeedResponse(w http.ResponseWriter) error {
	f.headers(w)
	w.Header().Set(echo.HeaderContentType, f.contentType+"; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	for rest := f.body; ; {
		before, after, more := bytes.Cut(rest, []byte(feedAddress))
		if _, err := w.Write(before); err != nil || !more {
			return err
		}
		if _, err := w.Write(f.address); err != nil {
			return err
		}
		rest = after
	}
}

func (f *sentFeed) headers(w http.ResponseWriter) {
	w.Header().Set("ETag", f.tag)
	// After several changes within a second, the time is slightly ahead of the clock. Two states with the same time
	// would be worse.
	w.Header().Set("Last-Modified", f.modified.UTC().Format(http.TimeFormat))
	w.Header().Set("Cache-Control", "max-age=60")
}

type feedUnchanged struct{ *sentFeed }

// VisitGetFeedResponse implements the response of the operation.
func (f feedUnchanged) VisitGetFeedResponse(w http.ResponseWriter) error {
	f.headers(w)
	w.WriteHeader(http.StatusNotModified)
	return nil
}

// GetFeed reads the state of the feeds before the content. So the content cached under a generation is never older than
// it.
func (h *handlers) GetFeed(ctx context.Context, req api.GetFeedRequestObject) (api.GetFeedResponseObject, error) {
	p := req.Params
	name, form := cutLast(strings.ToLower(req.Feed), ".") // upper case is accepted
	if strings.ContainsFunc(req.Feed, notInFeedNames) {
		return nil, &problem{
			status: http.StatusNotFound, kind: "not_found",
			detail: fmt.Sprintf(
				"there is no feed %q: names of feeds are made of letters, digits and hyphens, such as bills.rss",
				req.Feed,
			),
		}
	}
	if feedTypes[form] == "" {
		return nil, invalidField(
			"/path/feed", "%q is not a feed: want a name and .rss, .atom or .json, such as bills.rss", req.Feed,
		)
	}
	lang := "en"
	if p.Lang != nil {
		lang = string(*p.Lang)
	}
	q := strings.TrimSpace(deref(p.Q))
	switch {
	case name == "search" && q == "":
		return nil, invalidField("/query/q", "is required with the feed search")
	case name != "search" && p.Q != nil:
		return nil, invalidField("/query/q", "is for the feed search alone")
	}
	state, err := h.cfg.Store.FeedState(ctx)
	if err != nil {
		return nil, err
	}
	key := feedKey{
		name: name, form: form, lang: lang, q: q, generation: state.Generation, updated: state.UpdatedAt.UnixNano(),
	}
	// All waiting requests share the rendering, so it goes on when one of them leaves.
	kept, err := h.feeds.get(key, func() (*renderedFeed, error) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), renderTimeout)
		defer cancel()
		content, err := h.cfg.Store.Feed(limited, name, q, state.MaxItems)
		if err != nil {
			return nil, err
		}
		return renderFeed(key, content, state.UpdatedAt)
	})
	if err != nil {
		return nil, err
	}
	rendered := kept.at(form, h.baseURL(ctx))
	if p.IfNoneMatch != nil { // it takes precedence over If-Modified-Since
		if matches(p.IfNoneMatch, rendered.tag) {
			return feedUnchanged{rendered}, nil
		}
	} else if p.IfModifiedSince != nil {
		if since, err := http.ParseTime(*p.IfModifiedSince); err == nil && !rendered.modified.After(since) {
			return feedUnchanged{rendered}, nil
		}
	}
	return rendered, nil
}

// notInFeedNames matches characters that no feed name has: blanks, characters that look like a hyphen, and control
// characters.
func notInFeedNames(r rune) bool {
	in := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.'
	return !in
}

func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+len(sep):]
}

// baseURL returns the address of the server for the client of a request.
func (h *handlers) baseURL(ctx context.Context) string {
	return baseAddress(h.cfg.PublicURL, infoOf(ctx).request)
}

// baseAddress returns PUBLIC_URL or, without it, the address that a request was sent to.
func baseAddress(publicURL string, r *http.Request) string {
	if publicURL != "" {
		return strings.TrimSuffix(publicURL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// feedWords are the texts of feeds, by language.
var feedWords = map[string]map[string]string{
	"en": {
		"colon": ": ", "new": "New bill", "changed": "Changed", "sponsor": "Sponsor", "status": "Status", "was": "was",
		"from": "Parliament Explorer: bills of the Parliament of Canada, from openparliament.ca and LEGISinfo",
	},
	"fr": {
		"colon": " : ", "new": "Nouveau projet de loi", "changed": "Modifié", "sponsor": "Parrain", "status": "État",
		"was":  "auparavant",
		"from": "Parliament Explorer : projets de loi du Parlement du Canada, selon openparliament.ca et LEGISinfo",
	},
}

// fieldWords are the names of a bill's fields for readers, by language.
var fieldWords = map[string]map[string]string{
	"en": {
		"title": "title", "short_title": "short title", "status": "status", "latest_activity_at": "latest activity",
		"law": "royal assent", "royal_assent_on": "royal assent", "statute": "statute", "sponsor": "sponsor",
		"committees": "committees", "related_bills": "related bills", "summary": "summary", "text_url": "text",
		"introduced_on": "introduction", "bill_type": "type", "home_chamber": "chamber", "government_bill": "kind",
		"private_member_bill": "kind", "legisinfo_id": "LEGISinfo id", "legisinfo_url": "LEGISinfo page",
		"openparliament_url": "openparliament.ca page",
	},
	"fr": {
		"title": "titre", "short_title": "titre abrégé", "status": "état",
		"latest_activity_at": "activité la plus récente", "law": "sanction royale",
		"royal_assent_on": "sanction royale", "statute": "loi", "sponsor": "parrain", "committees": "comités",
		"related_bills": "projets de loi connexes", "summary": "résumé", "text_url": "texte", "introduced_on": "dépôt",
		"bill_type": "type", "home_chamber": "chambre", "government_bill": "genre", "private_member_bill": "genre",
		"legisinfo_id": "identifiant LEGISinfo", "legisinfo_url": "page LEGISinfo",
		"openparliament_url": "page openparliament.ca",
	},
}

// itemID returns the permanent id of an item: a tag URI of the project, which does not depend on the server's address.
func itemID(item parliament.FeedItem, lang string) string {
	return fmt.Sprintf("tag:parliament-explorer,2026:bill/%s/version/%d/%s", item.BillID, item.Version, lang)
}

// feedID returns the permanent id of a feed. It depends on the feed's name, language and query only.
func feedID(key feedKey, name string) string {
	id := "tag:parliament-explorer,2026:feed/" + name + "/" + key.lang
	if key.q != "" {
		id += "?" + url.Values{"q": {key.q}}.Encode()
	}
	return id
}

// renderTimeout bounds the rendering of a feed.
const renderTimeout = 30 * time.Second

// renderFeed renders a feed in a form and a language.
func renderFeed(key feedKey, content *parliament.FeedContent, updated time.Time) (*renderedFeed, error) {
	pick := func(b parliament.Bilingual) string { return textIn(key.lang, b) }
	self, newest := selfAddress(key, content.Name), updated
	f := &feeds.Feed{
		Title: pick(content.Title), Link: &feeds.Link{Href: feedAddress + "/ui/bills"},
		Description: feedWords[key.lang]["from"], Id: feedID(key, content.Name),
	}
	// The date of a feed is that of its newest item, because its ETag must not change when other feeds change.
	if len(content.Items) > 0 {
		newest = time.Time{}
	}
	for _, item := range content.Items {
		if item.NoticedAt.After(newest) {
			newest = item.NoticedAt
		}
		f.Items = append(f.Items, &feeds.Item{
			Title: itemTitle(item, pick), Id: itemID(item, key.lang), IsPermaLink: "false",
			Link:    &feeds.Link{Href: feedAddress + "/ui/bills/" + item.BillID},
			Created: item.PublishedAt, Updated: item.PublishedAt, Description: describe(item, pick, key.lang),
		})
	}
	f.Created, f.Updated = newest, newest
	out := &renderedFeed{contentType: feedTypes[key.form], modified: updated}
	var err error
	switch key.form {
	case "rss":
		out.body, err = rssOf(f, self, key.lang)
	case "atom":
		out.body, err = atomOf(f, self, key.lang)
	default:
		j := (&feeds.JSON{Feed: f}).JSONFeed()
		j.FeedUrl = self
		j.Language = key.lang
		for _, item := range j.Items {
			item.ContentHTML, item.Summary = item.Summary, ""
		}
		out.body, err = json.MarshalIndent(j, "", " ")
	}
	out.digest = tagOf(out.body)
	return out, err
}

// textIn returns a text in a language, or in the other language if there is none.
func textIn(lang string, b parliament.Bilingual) string {
	first, second := b.En, b.Fr
	if lang == "fr" {
		first, second = b.Fr, b.En
	}
	if first == nil {
		first = second
	}
	return deref(first)
}

// selfAddress returns the address of a feed itself.
func selfAddress(key feedKey, name string) string {
	query := url.Values{}
	if key.lang != "en" {
		query.Set("lang", key.lang)
	}
	if key.q != "" {
		query.Set("q", key.q)
	}
	self := feedAddress + "/feeds/" + url.PathEscape(name) + "." + key.form
	if len(query) > 0 {
		self += "?" + query.Encode()
	}
	return self
}

// itemTitle returns the title of an item: the bill's number, session and title, and its status if that changed or the
// bill is new.
func itemTitle(item parliament.FeedItem, pick func(parliament.Bilingual) string) string {
	name := pick(item.ShortTitle)
	if name == "" {
		name = pick(item.Title)
	}
	session, number, _ := strings.Cut(item.BillID, "/")
	title := fmt.Sprintf("%s (%s): %s", number, session, name)
	if status := pick(item.Status); status != "" && (item.From != nil || len(item.Fields) == 0) {
		title += " – " + status
	}
	return title
}

// describe returns the description of an item as HTML.
func describe(item parliament.FeedItem, pick func(parliament.Bilingual) string, lang string) string {
	var b strings.Builder
	words := feedWords[lang]
	line := func(format string, args ...any) { fmt.Fprintf(&b, "<p>"+format+"</p>", args...) }
	if title := pick(item.Title); title != "" {
		line("%s", html.EscapeString(title))
	}
	if len(item.Fields) == 0 {
		line("%s", words["new"])
	} else {
		var names []string
		for _, f := range item.Fields {
			name := fieldWords[lang][f]
			if name == "" {
				name = strings.ReplaceAll(f, "_", " ")
			}
			if !strings.Contains(", "+strings.Join(names, ", ")+", ", ", "+name+", ") {
				names = append(names, name)
			}
		}
		line("%s%s%s", words["changed"], words["colon"], html.EscapeString(strings.Join(names, ", ")))
	}
	if status := pick(item.Status); status != "" {
		was := ""
		if item.From != nil {
			if from := pick(*item.From); from != "" {
				was = fmt.Sprintf(" (%s%s%s)", words["was"], words["colon"], html.EscapeString(from))
			}
		}
		line("%s%s%s%s", words["status"], words["colon"], html.EscapeString(status), was)
	}
	if item.Sponsor != nil {
		line("%s%s%s", words["sponsor"], words["colon"], html.EscapeString(*item.Sponsor))
	}
	b.WriteString(pick(item.Summary)) // sanitised when it was stored
	return b.String()
}

type selfLink struct {
	Href string `xml:"href,attr"`
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
}

// rssOf renders RSS. It adds two elements that the library does not support: the feed's own address and its language.
func rssOf(f *feeds.Feed, self, lang string) ([]byte, error) {
	channel := (&feeds.Rss{Feed: f}).RssFeed()
	channel.Language = lang
	channel.Generator = "Parliament Explorer"
	for _, item := range channel.Items {
		item.Source = "" // the library puts a link there that does not lead to a feed
	}
	type extended struct {
		XMLName xml.Name `xml:"channel"`
		Self    selfLink `xml:"atom:link"`
		*feeds.RssFeed
	}
	body, err := xml.MarshalIndent(struct {
		XMLName xml.Name `xml:"rss"`
		Version string   `xml:"version,attr"`
		Atom    string   `xml:"xmlns:atom,attr"`
		Channel extended `xml:"channel"`
	}{
		Version: "2.0", Atom: "http://www.w3.org/2005/Atom",
		Channel: extended{Self: selfLink{self, "self", feedTypes["rss"]}, RssFeed: channel},
	}, "", " ")
	return append([]byte(xml.Header), body...), err
}

// atomOf renders Atom with the same additions.
func atomOf(f *feeds.Feed, self, lang string) ([]byte, error) {
	atom := (&feeds.Atom{Feed: f}).AtomFeed()
	atom.Id = f.Id // the library uses the link, which all feeds share
	for i, entry := range atom.Entries {
		entry.Published = f.Items[i].Created.Format(time.RFC3339)
	}
	atom.Author = &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: "Parliament Explorer"}}
	alternate := selfLink{Href: atom.Link.Href, Rel: "alternate", Type: "text/html"}
	body, err := xml.MarshalIndent(struct {
		XMLName xml.Name   `xml:"feed"`
		Lang    string     `xml:"xml:lang,attr"`
		Links   []selfLink `xml:"link"` // replaces the library's single link
		*feeds.AtomFeed
	}{Lang: lang, Links: []selfLink{{self, "self", feedTypes["atom"]}, alternate}, AtomFeed: atom}, "", " ")
	return append([]byte(xml.Header), body...), err
}

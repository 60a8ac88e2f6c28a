package server

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/server/access"
	"github.com/parliament-explorer/parliament-explorer/web"
)

// siteName is the name of every page's site. It is the same in both languages.
const siteName = "Parliament Explorer"

// pageTexts are the title and the description of a page, by language.
type pageTexts map[string][2]string

// homePage is the page at which readers arrive from /ui/.
const homePage = "home"

// readerPages are the pages for readers that have one address, by path below /ui/. Search engines may list them. All
// other pages are about operations, except those of single bills and politicians.
var readerPages = map[string]pageTexts{
	homePage: {
		"en": {"Canada's federal bills", "What is new in the Parliament of Canada: bills that were introduced, " +
			"that changed and that became law."},
		"fr": {"Les projets de loi fédéraux du Canada", "Ce qu'il y a de nouveau au Parlement du Canada : " +
			"les projets de loi déposés, modifiés et sanctionnés."},
	},
	"bills": {
		"en": {"Bills", "All bills of the Parliament of Canada, with their status, sponsor and history."},
		"fr": {"Projets de loi", "Tous les projets de loi du Parlement du Canada : état, parrain et historique."},
	},
	"politicians": {
		"en": {"Politicians", "The members of the House of Commons and the bills that they sponsored."},
		"fr": {"Députés", "Les députés de la Chambre des communes et les projets de loi qu'ils ont parrainés."},
	},
	"search": {
		"en": {"Search bills", "Search Canada's federal bills by number, title and words."},
		"fr": {"Rechercher des projets de loi", "Recherche dans les projets de loi fédéraux du Canada par numéro, titre et " +
			"mots."},
	},
	"data": {
		"en": {"Data and feeds", "Downloads and feeds of Canada's federal bills, with their fields and terms of use."},
		"fr": {"Données et fils", "Téléchargements et fils des projets de loi fédéraux du Canada, avec leurs champs et " +
			"conditions d'utilisation."},
	},
	"feeds": {
		"en": {"Feeds", "Follow Canada's federal bills in a feed reader."},
		"fr": {"Fils", "Suivez les projets de loi fédéraux du Canada dans un lecteur de fils."},
	},
	"glossary": {
		"en": {"Glossary", "The terms of the Parliament of Canada in plain words."},
		"fr": {"Glossaire", "Les termes du Parlement du Canada en mots simples."},
	},
}

// notFoundPage are the texts of a page that does not exist.
var notFoundPage = pageTexts{"en": {"Page not found", ""}, "fr": {"Page introuvable", ""}}

// pageHead collects what a page says about itself.
type pageHead struct {
	path      string // below /ui/, without the language
	lang      string
	explicit  bool // the address names the language
	texts     pageTexts
	kind      string // of Open Graph
	feed      string // the feed of the page; empty: none
	feedTitle string
	indexed   bool // search engines may list it
	status    int
}

// describePages gives the HTML of the web UI's pages their titles, descriptions, canonical addresses, Open Graph tags
// and feeds, for search engines and for links that are shared. Without PUBLIC_READ, an address says nothing about the
// data, not even whether there is any.
func (s *Server) describePages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/ui"), "/")
		if strings.HasPrefix(path, "static/") {
			return next(c)
		}
		if path == "" {
			path = homePage
		}
		h := pageHead{path: path, lang: c.QueryParam("lang"), kind: "website", status: http.StatusOK}
		if h.explicit = h.lang == "en" || h.lang == "fr"; !h.explicit {
			h.lang = "en"
		}
		if texts, ok := readerPages[path]; ok {
			h.texts, h.indexed = texts, c.QueryParam("q") == ""
			h.feed, h.feedTitle = "bills", map[string]string{"en": "All bills", "fr": "Tous les projets de loi"}[h.lang]
		} else {
			s.describeRecord(c, &h)
		}
		h.indexed = h.indexed && s.cfg.Access.PublicReading() != access.PublicNone
		c.SetRequest(r.WithContext(web.WithPage(r.Context(), s.page(r, h))))
		return next(c)
	}
}

// recordTime bounds the lookup of a page's record. The page is served without its texts if it takes longer.
const recordTime = 2 * time.Second

// describeRecord describes the page of a bill or a politician. If the data is not public, the limits of readers are
// exceeded or the database does not answer, the page is served without texts of its own.
func (s *Server) describeRecord(c echo.Context, h *pageHead) {
	path, embedded := strings.CutPrefix(h.path, "embed/")
	parts := strings.Split(path, "/")
	bill := len(parts) == 3 && parts[0] == "bills"
	if !bill && (len(parts) != 2 || parts[0] != "politicians" || embedded) {
		return
	}
	if control := s.cfg.Access; control.Required() {
		if !control.Public(access.PublicData) || control.AllowReader(c.Response().Header(), c.RealIP()) != nil {
			return
		}
		leave, err := s.admission.read(c, "page")
		if err != nil {
			return
		}
		defer leave()
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), recordTime)
	defer cancel()
	var err error
	if bill {
		err = s.describeBill(ctx, parts[1], parts[2], h)
	} else {
		err = s.describePolitician(ctx, parts[1], h)
	}
	switch {
	case errors.Is(err, parliament.ErrNotFound) || errors.Is(err, parliament.ErrBadID):
		h.texts, h.status = notFoundPage, http.StatusNotFound
	case err != nil:
		s.cfg.Logger.Warn("a page has no texts of its own", "path", c.Request().URL.Path, "error", err)
	default:
		h.indexed = !embedded
	}
}

func (s *Server) describeBill(ctx context.Context, session, number string, h *pageHead) error {
	id, err := parliament.ParseBillID(session, number)
	if err != nil {
		return err
	}
	b, err := s.cfg.Store.Bill(ctx, id)
	if err != nil {
		return err
	}
	h.path, h.kind, h.feed, h.texts = "bills/"+b.ID, "article", "bill-"+id.SessionCode()+"-"+id.Number(), pageTexts{}
	for _, lang := range []string{"en", "fr"} {
		words := feedWords[lang]
		pick := func(t parliament.Bilingual) string { return textIn(lang, t) }
		name := pick(b.ShortTitle)
		if name == "" {
			name = pick(b.Title)
		}
		title := fmt.Sprintf("%s (%s)", b.Number, session)
		if name != "" {
			title += words["colon"] + name
		}
		var facts []string
		add := func(what, text string) {
			if text != "" {
				facts = append(facts, words[what]+words["colon"]+text+".")
			}
		}
		if text := pick(b.Title); text != "" {
			facts = append(facts, strings.TrimSuffix(text, ".")+".")
		}
		add("status", pick(parliament.Bilingual{En: b.Status.En, Fr: b.Status.Fr}))
		if b.Sponsor != nil {
			add("sponsor", deref(b.Sponsor.Name))
		}
		h.texts[lang] = [2]string{title, strings.Join(facts, " ")}
	}
	h.feedTitle = h.texts[h.lang][0]
	return nil
}

func (s *Server) describePolitician(ctx context.Context, slug string, h *pageHead) error {
	p, err := s.cfg.Store.Politician(ctx, slug)
	if err != nil {
		return err
	}
	h.path, h.kind, h.texts = "politicians/"+p.Slug, "profile", pageTexts{}
	if p.PersonID != nil {
		h.feed = "sponsor-" + p.Slug
	}
	about := map[string]string{
		"en": "Bills that %s sponsored in the Parliament of Canada.",
		"fr": "Projets de loi parrainés par %s au Parlement du Canada.",
	}
	for lang, text := range about {
		description := fmt.Sprintf(text, p.Name)
		if place := strings.Join(nonEmpty(textIn(lang, p.Party), textIn(lang, p.Riding)), ", "); place != "" {
			description += " " + place + "."
		}
		h.texts[lang] = [2]string{p.Name, description}
	}
	h.feedTitle = p.Name
	return nil
}

func nonEmpty(texts ...string) (out []string) {
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}

// maxTitle and maxDescription bound the texts of a page, in characters.
const maxTitle, maxDescription = 150, 300

// page writes the head. Every value is escaped, because titles and names come from the sources.
func (s *Server) page(r *http.Request, h pageHead) web.Page {
	p := web.Page{Status: h.status, Lang: h.lang}
	var head strings.Builder
	tag := func(format string, values ...string) {
		escaped := make([]any, len(values))
		for i, v := range values {
			escaped[i] = html.EscapeString(v)
		}
		fmt.Fprintf(&head, "    "+format+"\n", escaped...)
	}
	if !h.indexed {
		tag(`<meta name="robots" content="noindex" />`)
	}
	if h.texts == nil {
		p.Head = head.String()
		return p
	}
	title, description := shorten(h.texts[h.lang][0], maxTitle), shorten(h.texts[h.lang][1], maxDescription)
	p.Title, p.Description = title+" · "+siteName, description
	if h.status != http.StatusOK {
		p.Head = head.String()
		return p
	}
	address := baseAddress(s.cfg.PublicURL, r) + "/ui/" + escapedPath(h.path)
	canonical, other := address, map[string]string{"en": "fr", "fr": "en"}[h.lang]
	if h.explicit {
		canonical += "?lang=" + h.lang
	}
	tag(`<link rel="canonical" href="%s" />`, canonical)
	tag(`<link rel="alternate" hreflang="en" href="%s" />`, address+"?lang=en")
	tag(`<link rel="alternate" hreflang="fr" href="%s" />`, address+"?lang=fr")
	tag(`<link rel="alternate" hreflang="x-default" href="%s" />`, address)
	property := func(name, value string) { tag(`<meta property="%s" content="%s" />`, name, value) }
	property("og:site_name", siteName)
	property("og:type", h.kind)
	property("og:title", title)
	property("og:description", description)
	property("og:url", canonical)
	property("og:locale", h.lang+"_CA")
	property("og:locale:alternate", other+"_CA")
	tag(`<meta name="twitter:card" content="summary" />`)
	if h.feed != "" {
		query := ""
		if h.lang != "en" {
			query = "?lang=" + h.lang
		}
		for _, form := range []string{"atom", "rss", "json"} { // relative to the mount point of the UI
			tag(
				`<link rel="alternate" type="%s" title="%s" href="%s" />`, feedTypes[form], h.feedTitle,
				"../feeds/"+url.PathEscape(h.feed)+"."+form+query,
			)
		}
	}
	p.Head = head.String()
	return p
}

// shorten cuts a text after a word, so that it has at most limit characters.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	cut := string(runes[:limit-1])
	if i := strings.LastIndexByte(cut, ' '); i > 0 {
		cut = cut[:i]
	}
	return cut + "…"
}

// escapedPath escapes each part of a path.
func escapedPath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// embeddable lets pages of other sites frame the page of a bill that is made for it.
func embeddable(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, err := parliament.ParseBillID(c.Param("session"), c.Param("number")); err == nil {
			header := c.Response().Header()
			header.Set(echo.HeaderContentSecurityPolicy, policyEmbed)
			header.Del(echo.HeaderXFrameOptions)
			header.Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		return next(c)
	}
}

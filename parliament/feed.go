package parliament

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// FeedItem is a change of a bill, as an item of a feed.
type FeedItem struct {
	BillID      string    `json:"-"`
	Version     int       `json:"-"`
	PublishedAt time.Time `json:"-"` // when it happened
	NoticedAt   time.Time `json:"-"`
	// The bill's data as of the change.
	Number     string    `json:"number"`
	Title      Bilingual `json:"title"`
	ShortTitle Bilingual `json:"short_title"`
	Status     Bilingual `json:"status"`
	Summary    Bilingual `json:"summary"`
	Sponsor    *string   `json:"sponsor"`
	// Fields are the fields that changed; empty for a new bill.
	Fields []string `json:"fields"`
	// From is the previous status, if the status changed.
	From *Bilingual `json:"from"`
}

// feedDoc is the stored form of an item.
type feedDoc struct {
	FeedItem
	NoticedAt time.Time `json:"noticed_at"`
}

// FeedState is the state of all feeds.
type FeedState struct {
	MaxItems int
	// Generation changes whenever a feed changes.
	Generation int64
	// UpdatedAt is the time of the latest change, in whole seconds. It increases with each change.
	UpdatedAt time.Time
}

// FeedState returns the state of all feeds.
func (s *Store) FeedState(ctx context.Context) (FeedState, error) {
	r, err := s.q.GetFeedState(ctx)
	return FeedState{MaxItems: int(r.MaxItems), Generation: r.Generation, UpdatedAt: r.UpdatedAt}, err
}

// FeedContent is a feed: its name, its title and its items, the newest first.
type FeedContent struct {
	// Name is the canonical spelling of the feed's name.
	Name  string
	Title Bilingual
	Items []FeedItem
}

// feedNames matches the names of feeds. Characters that look like a hyphen, and blanks, are not allowed.
var feedNames = regexp.MustCompile(`^[A-Za-z0-9-]{1,200}$`)

// Feed returns the feed with a name (see getFeed in openapi.yaml). The name may be in upper or lower case. q is the
// query of the feed "search". The error is ErrNotFound if there is no such feed.
//
// The function is long, because it has a short case for each kind of feed.
func (s *Store) Feed(ctx context.Context, name, q string, limit int) (*FeedContent, error) {
	out := &FeedContent{}
	p := sql.ListFeedItemsParams{Limit: int32(limit)} //nolint:gosec // bounded by the config
	missing := fmt.Errorf("feed %q: %w", name, ErrNotFound)
	if !feedNames.MatchString(name) {
		return nil, fmt.Errorf("feed %q: %w: names of feeds are made of letters, digits and hyphens", name, ErrNotFound)
	}
	kind, of, _ := strings.Cut(name, "-")
	kind = strings.ToLower(kind)
	called := func(name, en, fr string) { out.Name, out.Title = name, Bilingual{En: &en, Fr: &fr} }
	switch kind {
	case "bills":
		if name = strings.ToLower(name); name != kind {
			return nil, missing
		}
		called(kind, "All bills", "Tous les projets de loi")
	case "session":
		if _, _, err := ParseSession(of); err != nil {
			return nil, missing
		}
		p.Session = &of
		called("session-"+of, "Bills of session "+of, "Projets de loi de la session "+of)
	case "status":
		code, words, ok := statusOfCode(of)
		if !ok {
			return nil, missing
		}
		p.Status = &code
		called("status-"+code, "Bills: "+words, "Projets de loi : "+words) // until an item says it in French
	case "sponsor":
		who, err := s.Politician(ctx, strings.ToLower(of))
		if errors.Is(err, ErrNotFound) || err == nil && who.PersonID == nil {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		p.SponsorID = ptr(int64(*who.PersonID))
		called("sponsor-"+who.Slug, "Bills of "+who.Name, "Projets de loi de "+who.Name)
	case "committee":
		acronym := strings.ToUpper(of)
		p.Committee = &acronym
		en, fr, err := s.committeeNames(ctx, acronym)
		if err != nil {
			return nil, err
		}
		called("committee-"+acronym, "Bills before "+en, "Projets de loi : "+fr)
	case "bill":
		id, ok := billOfFeed(of)
		if !ok {
			return nil, missing
		}
		if _, err := s.bill(ctx, id); err != nil {
			return nil, err
		}
		p.BillID = ptr(id.String())
		words := id.Number() + " (" + id.SessionCode() + ")"
		called("bill-"+id.SessionCode()+"-"+id.Number(), "Bill "+words, "Projet de loi "+words)
	case "search":
		if name = strings.ToLower(name); name != kind || q == "" {
			return nil, missing
		}
		found, err := s.Search(ctx, SearchQuery{Q: q, Mode: SearchLexical, Limit: 500}, nil)
		if err != nil {
			return nil, err
		}
		p.BillIds = []string{}
		for _, hit := range found.Hits {
			p.BillIds = append(p.BillIds, hit.Bill.ID)
		}
		called(kind, "Bills: "+q, "Projets de loi : "+q)
	default:
		return nil, missing
	}
	if err := s.feedItems(ctx, p, out); err != nil {
		return nil, err
	}
	if len(out.Items) > 0 && kind == "status" && out.Items[0].Status.Fr != nil {
		out.Title.Fr = ptr("Projets de loi : " + *out.Items[0].Status.Fr)
	}
	if len(out.Items) == 0 && (kind == "session" || kind == "committee") {
		return nil, missing
	}
	return out, nil
}

// billOfFeed reads the bill of a feed's name, such as 44-1-C-11. The bill's number has a hyphen too.
func billOfFeed(name string) (BillID, bool) {
	i := strings.LastIndex(name, "-")
	if i > 0 {
		i = strings.LastIndex(name[:i], "-")
	}
	if i <= 0 {
		return BillID{}, false
	}
	id, err := ParseBillID(name[:i], name[i+1:])
	return id, err == nil
}

// feedItems adds the items of a feed to out.
func (s *Store) feedItems(ctx context.Context, p sql.ListFeedItemsParams, out *FeedContent) error {
	rows, err := s.lists.ListFeedItems(ctx, p)
	if err != nil {
		return err
	}
	for _, r := range rows {
		var d feedDoc
		if err := json.Unmarshal(r.Doc, &d); err != nil {
			return fmt.Errorf("feed item %s, %d: %w", r.BillID, r.Version, err)
		}
		item := d.FeedItem
		item.Summary = withoutImages(item.Summary)
		item.BillID, item.Version = r.BillID, int(r.Version)
		item.PublishedAt, item.NoticedAt = r.PublishedAt, d.NoticedAt
		out.Items = append(out.Items, item)
	}
	return nil
}

// committeeNames returns the names of the committees with an acronym, in English and French: one name, or one for each
// chamber. It returns the acronym if no bill has the name any more.
func (s *Store) committeeNames(ctx context.Context, acronym string) (en, fr string, err error) {
	rows, err := s.q.CommitteeNames(ctx, acronym)
	if err != nil {
		return "", "", err
	}
	var english, french []string
	for _, raw := range rows {
		var named Bilingual
		if err := json.Unmarshal(raw, &named); err != nil {
			return "", "", err
		}
		for _, one := range []struct {
			to   *[]string
			name string
		}{{&english, cmp.Or(value(named.En), value(named.Fr))}, {&french, cmp.Or(value(named.Fr), value(named.En))}} {
			if one.name != "" && !slices.Contains(*one.to, one.name) {
				*one.to = append(*one.to, one.name)
			}
		}
	}
	return cmp.Or(strings.Join(english, "; "), acronym), cmp.Or(strings.Join(french, " ; "), acronym), nil
}

// statusOfCode finds one of openparliament.ca's codes, in upper or lower case, and LEGISinfo's words for it.
func statusOfCode(code string) (exact, words string, ok bool) {
	for words, c := range statusCodes {
		if strings.EqualFold(c, code) {
			return c, words, true
		}
	}
	return "", "", false
}

// FeedSummary is a feed in the list of feeds.
type FeedSummary struct {
	Name      string
	Title     Bilingual
	Items     int
	UpdatedAt *time.Time
}

// Feeds lists the feeds, except those of single bills, politicians, committees and searches.
func (s *Store) Feeds(ctx context.Context) ([]FeedSummary, error) {
	state, err := s.FeedState(ctx)
	if err != nil {
		return nil, err
	}
	sessions, err := s.q.FeedSessions(ctx)
	if err != nil {
		return nil, err
	}
	statuses, err := s.q.FeedStatuses(ctx)
	if err != nil {
		return nil, err
	}
	text := func(en, fr string) Bilingual { return Bilingual{En: &en, Fr: &fr} }
	all := FeedSummary{Name: "bills", Title: text("All bills", "Tous les projets de loi")}
	out := []FeedSummary{}
	for _, r := range sessions {
		all.Items += int(r.N)
		if all.UpdatedAt == nil || r.Latest.After(*all.UpdatedAt) {
			all.UpdatedAt = &r.Latest
		}
		out = append(out, FeedSummary{
			Name: "session-" + r.Session, Title: text("Bills of session "+r.Session, "Projets de loi de la session "+r.Session),
			Items: min(int(r.N), state.MaxItems), UpdatedAt: &r.Latest,
		})
	}
	slices.SortFunc(out, func(a, b FeedSummary) int {
		return compareNumbers(strings.TrimPrefix(b.Name, "session-"), strings.TrimPrefix(a.Name, "session-"))
	})
	for _, r := range statuses {
		if _, words, ok := statusOfCode(r.StatusCode); ok {
			out = append(out, FeedSummary{
				Name: "status-" + r.StatusCode, Title: text("Bills: "+words, "Projets de loi : "+cmp.Or(r.French, words)),
				Items: min(int(r.N), state.MaxItems), UpdatedAt: &r.Latest,
			})
		}
	}
	all.Items = min(all.Items, state.MaxItems)
	return append([]FeedSummary{all}, out...), nil
}

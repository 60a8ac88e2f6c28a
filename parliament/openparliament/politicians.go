package openparliament

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// Member is an item of the list of politicians.
type Member struct {
	Slug     string `json:"slug"`
	Name     string `json:"name"`
	Party    string `json:"party,omitempty"` // short name in English
	Riding   string `json:"riding,omitempty"`
	Province string `json:"province,omitempty"`
	Image    string `json:"image,omitempty"`
}

// Person is a politician's own record.
type Person struct {
	Slug        string       `json:"slug"`
	Name        string       `json:"name"`
	GivenName   string       `json:"given_name,omitempty"`
	FamilyName  string       `json:"family_name,omitempty"`
	Image       string       `json:"image,omitempty"`
	PersonID    int          `json:"person_id,omitempty"` // parl.ca's; 0 if it is not known
	Memberships []Membership `json:"memberships,omitempty"`
}

// Membership is a term in the House of Commons.
type Membership struct {
	PartyEn  string `json:"party_en,omitempty"`
	PartyFr  string `json:"party_fr,omitempty"`
	RidingEn string `json:"riding_en,omitempty"`
	RidingFr string `json:"riding_fr,omitempty"`
	Province string `json:"province,omitempty"`
	LabelEn  string `json:"label_en,omitempty"`
	LabelFr  string `json:"label_fr,omitempty"`
	Start    string `json:"start,omitempty"` // "2011-05-02"
	End      string `json:"end,omitempty"`
}

var memberURL = regexp.MustCompile(`^/politicians/([a-z0-9-]{1,100})/?$`)

// Politicians returns the current members and, with all, the former ones too. The record errors are those of items that
// could not be read.
func (c Client) Politicians(ctx context.Context, all bool) ([]Member, []*upstream.RecordError, error) {
	query := url.Values{}
	if all {
		query.Set("include", "all")
	}
	l := lister[Member]{parse: ParseMember, key: func(m Member) string { return m.Slug }}
	err := c.pages(ctx, "/politicians/", query, &l)
	return l.records, l.faults, err
}

// PoliticianURL returns the address of a politician's record.
func (c Client) PoliticianURL(slug string) string { return c.URL(politicianPath(slug)) }

func politicianPath(slug string) string { return "/politicians/" + url.PathEscape(slug) + "/" }

// Politician returns a politician's record.
func (c Client) Politician(ctx context.Context, slug string) (*Person, error) {
	var raw json.RawMessage
	if err := c.GetJSON(ctx, politicianPath(slug)+"?format=json&version=v1", &raw); err != nil {
		return nil, err
	}
	p, err := ParsePerson(raw)
	if err == nil && p.Slug != slug {
		err = fmt.Errorf("record of %q, want %q", p.Slug, slug)
	}
	if err != nil {
		return nil, &upstream.RecordError{URL: c.PoliticianURL(slug), Err: err}
	}
	return p, nil
}

type named struct {
	Name      english `json:"name"`
	ShortName english `json:"short_name"`
}

type english struct {
	En string `json:"en"`
	Fr string `json:"fr"`
}

// ParseMember parses one object of the list of politicians.
func ParseMember(raw []byte) (Member, error) {
	var o struct {
		Name   string `json:"name"`
		URL    string `json:"url"`
		Image  string `json:"image"`
		Party  named  `json:"current_party"`
		Riding struct {
			named
			Province string `json:"province"`
		} `json:"current_riding"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return Member{}, err
	}
	m := memberURL.FindStringSubmatch(o.URL)
	if m == nil {
		return Member{}, fmt.Errorf("url %q is not the address of a politician", o.URL)
	}
	if strings.TrimSpace(upstream.Cut(o.Name, upstream.MaxName)) == "" {
		return Member{}, errors.New("no name")
	}
	name, text := upstream.MaxName, upstream.MaxText
	return Member{
		Slug: m[1], Name: upstream.Cut(o.Name, text), Party: upstream.Cut(o.Party.ShortName.En, name),
		Riding: upstream.Cut(o.Riding.Name.En, text), Province: upstream.Cut(o.Riding.Province, name),
		Image: path(o.Image),
	}, nil
}

// ParsePerson parses a politician's own record. Party, riding, province and id are optional.
func ParsePerson(raw []byte) (*Person, error) {
	var o struct {
		Name        string                     `json:"name"`
		GivenName   string                     `json:"given_name"`
		FamilyName  string                     `json:"family_name"`
		URL         string                     `json:"url"`
		Image       string                     `json:"image"`
		Other       map[string]json.RawMessage `json:"other_info"`
		Memberships []struct {
			Party  named `json:"party"`
			Riding struct {
				named
				Province string `json:"province"`
			} `json:"riding"`
			Label english `json:"label"`
			Start *string `json:"start_date"`
			End   *string `json:"end_date"`
		} `json:"memberships"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	m := memberURL.FindStringSubmatch(o.URL)
	if m == nil {
		return nil, fmt.Errorf("url %q is not the address of a politician", o.URL)
	}
	if strings.TrimSpace(upstream.Cut(o.Name, upstream.MaxName)) == "" {
		return nil, errors.New("no name")
	}
	name, text := upstream.MaxName, upstream.MaxText
	p := &Person{
		Slug: m[1], Name: upstream.Cut(o.Name, text), GivenName: upstream.Cut(o.GivenName, text),
		FamilyName: upstream.Cut(o.FamilyName, text), Image: path(o.Image),
	}
	var ids []string
	if err := json.Unmarshal(o.Other["parl_mp_id"], &ids); err == nil && len(ids) > 0 {
		if id, err := strconv.Atoi(ids[0]); err == nil && id > 0 && id <= math.MaxInt32 {
			p.PersonID = id
		}
	}
	for _, t := range o.Memberships[:min(len(o.Memberships), maxMemberships)] {
		p.Memberships = append(p.Memberships, Membership{
			PartyEn: upstream.Cut(t.Party.ShortName.En, name), PartyFr: upstream.Cut(t.Party.ShortName.Fr, name),
			RidingEn: upstream.Cut(t.Riding.Name.En, text), RidingFr: upstream.Cut(t.Riding.Name.Fr, text),
			Province: upstream.Cut(t.Riding.Province, name), LabelEn: upstream.Cut(t.Label.En, text),
			LabelFr: upstream.Cut(t.Label.Fr, text), Start: day(t.Start), End: day(t.End),
		})
	}
	return p, nil
}

// maxMemberships limits the terms of one person.
const maxMemberships = 100

// day reads a day; "" if there is none, or if no record of Parliament can have it.
func day(s *string) string {
	if s == nil {
		return ""
	}
	if t, err := time.Parse(time.DateOnly, *s); err != nil || !upstream.Plausible(t) {
		return ""
	}
	return *s
}

// path returns a plain host-relative address, and "" for any other text.
func path(s string) string {
	refused := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r) }
	if len(s) > maxURL || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsFunc(s, refused) {
		return ""
	}
	return s
}

// Package selection reads Dagster's syntax for choosing assets, such as "group:bills or +feeds". Begin reading at
// Resolve.
package selection

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Asset is what a selection needs to know about an asset.
type Asset struct {
	Name, Group   string
	Deps          []string
	Owners, Kinds []string
	Tags          map[string]string
}

// maxLength bounds a selection's length in bytes, and with it its nesting.
const maxLength = 1000

// Resolve returns the names of the assets that a selection chooses, in the order in which they are given, which must be
// dependency order. The syntax is Dagster's:
//
//	fetch_latest_bills        an asset, or several by wildcard: fetch_*, *
//	group:bills, key:fetch_*  by group, by name
//	owner:team:data, kind:rss by owner, by kind
//	tag:audience=readers      by tag; tag:audience, whatever its value
//	+a, a+, +a+               with everything upstream, downstream, or both
//	1+a, a+2                  with so many layers of it
//	x and y, x or y, not x, (x)   combined; a comma is "or"
//
// An error says where the selection cannot be read, or which name selects nothing.
func Resolve(selection string, assets []Asset) ([]string, error) {
	if len(selection) > maxLength {
		return nil, fmt.Errorf("is %d characters long: want %d at most", len(selection), maxLength)
	}
	p := &parser{assets: assets, deps: map[string][]string{}, downstream: map[string][]string{}, tokens: tokens(selection)}
	for _, a := range assets {
		p.deps[a.Name] = a.Deps
		for _, dep := range a.Deps {
			p.downstream[dep] = append(p.downstream[dep], a.Name)
		}
	}
	chosen, err := p.either()
	if err == nil && p.peek() != "" {
		err = fmt.Errorf("%q was not expected: want and, or, a comma or the end", p.peek())
	}
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, a := range assets {
		if chosen[a.Name] {
			names = append(names, a.Name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("selects no asset")
	}
	return names, nil
}

// tokens splits a selection into words and the characters ( ) + and comma.
func tokens(s string) []string {
	var all []string
	word := ""
	flush := func() {
		if word != "" {
			all = append(all, word)
		}
		word = ""
	}
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			flush()
		case strings.ContainsRune("()+,", r):
			flush()
			all = append(all, string(r))
		default:
			word += string(r)
		}
	}
	flush()
	return all
}

// assetSet holds names of assets.
type assetSet map[string]bool

// parser is a recursive-descent parser; one goroutine uses it.
type parser struct {
	assets           []Asset
	deps, downstream map[string][]string // by asset
	tokens           []string            // not read yet
}

// peek returns the next token; empty at the end.
func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

// take returns the next token and moves on.
func (p *parser) take() string {
	t := p.peek()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

// takeIf moves on if the next token is one of those wanted.
func (p *parser) takeIf(wanted ...string) bool {
	if slices.Contains(wanted, strings.ToLower(p.peek())) {
		p.take()
		return true
	}
	return false
}

// either reads terms joined by "or" or a comma.
func (p *parser) either() (assetSet, error) {
	all, err := p.both()
	for err == nil && p.takeIf("or", ",") {
		var more assetSet
		if more, err = p.both(); err == nil {
			for name := range more {
				all[name] = true
			}
		}
	}
	return all, err
}

// both reads terms joined by "and".
func (p *parser) both() (assetSet, error) {
	all, err := p.negatable()
	for err == nil && p.takeIf("and") {
		var other assetSet
		if other, err = p.negatable(); err == nil {
			for name := range all {
				if !other[name] {
					delete(all, name)
				}
			}
		}
	}
	return all, err
}

// negatable reads a term that "not" may precede.
func (p *parser) negatable() (assetSet, error) {
	if !p.takeIf("not") {
		return p.term()
	}
	without, err := p.negatable()
	if err != nil {
		return nil, err
	}
	rest := assetSet{}
	for _, a := range p.assets {
		if !without[a.Name] {
			rest[a.Name] = true
		}
	}
	return rest, nil
}

// term reads an atom with its layers upstream and downstream.
func (p *parser) term() (assetSet, error) {
	up, err := p.layersBefore()
	if err != nil {
		return nil, err
	}
	chosen, err := p.atom()
	if err != nil {
		return nil, err
	}
	down := 0
	if p.takeIf("+") {
		if down = len(p.assets); len(p.tokens) > 0 {
			if n, err := strconv.Atoi(p.peek()); err == nil && n >= 0 {
				p.take()
				down = min(n, down)
			}
		}
	}
	above := p.grow(chosen, up, p.deps)
	below := p.grow(chosen, down, p.downstream)
	for name := range below {
		above[name] = true
	}
	return above, nil
}

// layersBefore reads how many layers upstream are chosen too: "+" for all, "2+" for two.
func (p *parser) layersBefore() (int, error) {
	all := len(p.assets)
	if p.takeIf("+") {
		return all, nil
	}
	if n, err := strconv.Atoi(p.peek()); err == nil {
		number := p.take()
		if n < 0 || !p.takeIf("+") {
			return 0, fmt.Errorf("%q was not expected: a number of layers is followed by +", number)
		}
		return min(n, all), nil
	}
	return 0, nil
}

// grow adds layers of neighbors to a set.
func (p *parser) grow(from assetSet, layers int, next map[string][]string) assetSet {
	all, edge := assetSet{}, from
	for name := range from {
		all[name] = true
	}
	for ; layers > 0 && len(edge) > 0; layers-- {
		found := assetSet{}
		for name := range edge {
			for _, n := range next[name] {
				if !all[n] {
					all[n], found[n] = true, true
				}
			}
		}
		edge = found
	}
	return all
}

// atom reads a name, a pattern, an attribute such as group:bills, or a selection in parentheses.
func (p *parser) atom() (assetSet, error) {
	token := p.take()
	switch token {
	case "":
		return nil, errors.New("ends where an asset was expected")
	case "(":
		inner, err := p.either()
		if err == nil && !p.takeIf(")") {
			err = errors.New("a closing parenthesis is missing")
		}
		return inner, err
	case ")", ",", "+":
		return nil, fmt.Errorf("%q was not expected: want an asset", token)
	}
	attribute, value, has := strings.Cut(token, ":")
	if !has {
		attribute, value = "key", token
	}
	value = strings.ReplaceAll(value, `"`, "")
	attributesOf, known := attributes[attribute]
	if !known {
		return nil, fmt.Errorf("%q is not known: want key:NAME, group:NAME, owner:NAME, kind:NAME or tag:KEY=VALUE",
			attribute+":")
	}
	chosen := assetSet{}
	for _, a := range p.assets {
		for _, of := range attributesOf(a) {
			ok, err := path.Match(value, of)
			if err != nil {
				return nil, fmt.Errorf("%q is not a pattern", value)
			}
			if ok {
				chosen[a.Name] = true
			}
		}
	}
	if len(chosen) == 0 {
		if attribute == "key" {
			return nil, fmt.Errorf("there is no asset %q", value)
		}
		return nil, fmt.Errorf("there is no %s %q", attribute, value)
	}
	return chosen, nil
}

// attributes are what the assets of a selection can be chosen by.
var attributes = map[string]func(Asset) []string{
	"key":   func(a Asset) []string { return []string{a.Name} },
	"group": func(a Asset) []string { return []string{a.Group} },
	"owner": func(a Asset) []string { return a.Owners },
	"kind":  func(a Asset) []string { return a.Kinds },
	"tag": func(a Asset) []string {
		all := []string{}
		for key, value := range a.Tags {
			all = append(all, key, key+"="+value)
		}
		return all
	},
}

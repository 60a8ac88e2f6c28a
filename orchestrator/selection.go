package orchestrator

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxSelection bounds a selection's length and its nesting.
const maxSelection = 1000

// Select gives the assets that a selection names, in dependency order. The syntax is Dagster's:
//
//	fetch_latest_bills        an asset, or several by wildcard: fetch_*, *
//	group:bills, key:fetch_*  by group, by name
//	+a, a+, +a+               with everything upstream, downstream, or both
//	1+a, a+2                  with so many layers of it
//	x and y, x or y, not x, (x)   combined; a comma is "or"
//
// An error says where the selection cannot be read, or which name selects nothing.
func (d *Definitions) Select(selection string) ([]string, error) {
	if len(selection) > maxSelection {
		return nil, fmt.Errorf("is %d characters long: want %d at most", len(selection), maxSelection)
	}
	p := &selectionParser{defs: d, tokens: selectionTokens(selection)}
	chosen, err := p.either()
	if err == nil && p.peek() != "" {
		err = fmt.Errorf("%q was not expected: want and, or, a comma or the end", p.peek())
	}
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, a := range d.assets {
		if chosen[a.Name] {
			names = append(names, a.Name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("selects no asset")
	}
	return names, nil
}

func selectionTokens(s string) []string {
	var tokens []string
	word := ""
	flush := func() {
		if word != "" {
			tokens = append(tokens, word)
		}
		word = ""
	}
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			flush()
		case strings.ContainsRune("()+,", r):
			flush()
			tokens = append(tokens, string(r))
		default:
			word += string(r)
		}
	}
	flush()
	return tokens
}

type assetSet map[string]bool

type selectionParser struct {
	defs   *Definitions
	tokens []string
}

func (p *selectionParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *selectionParser) take() string {
	t := p.peek()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *selectionParser) takeIf(wanted ...string) bool {
	if slices.Contains(wanted, strings.ToLower(p.peek())) {
		p.take()
		return true
	}
	return false
}

func (p *selectionParser) either() (assetSet, error) {
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

func (p *selectionParser) both() (assetSet, error) {
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

func (p *selectionParser) negatable() (assetSet, error) {
	if !p.takeIf("not") {
		return p.term()
	}
	without, err := p.negatable()
	if err != nil {
		return nil, err
	}
	rest := assetSet{}
	for _, a := range p.defs.assets {
		if !without[a.Name] {
			rest[a.Name] = true
		}
	}
	return rest, nil
}

// term is an atom with its layers upstream and downstream.
func (p *selectionParser) term() (assetSet, error) {
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
		if down = len(p.defs.assets); len(p.tokens) > 0 {
			if n, err := strconv.Atoi(p.peek()); err == nil && n >= 0 {
				p.take()
				down = min(n, down)
			}
		}
	}
	above := p.grow(chosen, up, func(name string) []string { return p.defs.byAsset[name].Deps })
	below := p.grow(chosen, down, p.defs.Downstream)
	for name := range below {
		above[name] = true
	}
	return above, nil
}

func (p *selectionParser) layersBefore() (int, error) {
	all := len(p.defs.assets)
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

func (p *selectionParser) grow(from assetSet, layers int, next func(string) []string) assetSet {
	all, edge := assetSet{}, from
	for name := range from {
		all[name] = true
	}
	for ; layers > 0 && len(edge) > 0; layers-- {
		found := assetSet{}
		for name := range edge {
			for _, n := range next(name) {
				if !all[n] {
					all[n], found[n] = true, true
				}
			}
		}
		edge = found
	}
	return all
}

func (p *selectionParser) atom() (assetSet, error) {
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
	value = strings.Trim(value, `"`)
	chosen := assetSet{}
	for _, a := range p.defs.assets {
		var of string
		switch attribute {
		case "key":
			of = a.Name
		case "group":
			of = a.Group
		default:
			return nil, fmt.Errorf("%q is not known: want key:NAME or group:NAME", attribute+":")
		}
		ok, err := path.Match(value, of)
		if err != nil {
			return nil, fmt.Errorf("%q is not a pattern", value)
		}
		if ok {
			chosen[a.Name] = true
		}
	}
	if len(chosen) == 0 {
		what := "asset"
		if attribute == "group" {
			what = "group"
		}
		return nil, fmt.Errorf("there is no %s %q", what, value)
	}
	return chosen, nil
}

// Package message has the French of the messages of the program: why a run failed, why a tick started no run, why a
// request was refused. A message is recognized by its English text, which is what is stored and logged, so messages
// that were stored before there was a translation have one too. Messages of other programs stay as they are.
package message

import (
	"cmp"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// verb is a verb of a template: as in package fmt, with the number of the parameter if the order differs.
var verb = regexp.MustCompile(`%(?:\[(\d+)\])?([dgqsvwx])`)

// template is a message with parameters.
type template struct {
	prefix  string // everything before the first parameter
	weight  int    // length of the fixed text: of two templates that match, the one with more of it is meant
	pattern *regexp.Regexp
	french  string
}

// catalog has all messages.
type catalog struct {
	fixed     map[string]string
	templates []template
}

func tables() []map[string]string { return []map[string]string{engine, pipeline, requests, wrappers} }

var loaded = sync.OnceValue(load)

func load() *catalog {
	c := &catalog{fixed: map[string]string{}}
	for _, table := range tables() {
		for english, french := range table {
			english = strings.ReplaceAll(english, "%%", "%") // what follows such a % is never the letter of a verb
			french = strings.ReplaceAll(french, "%%", "%")
			french = strings.ReplaceAll(french, "~", "\u00a0") // ~ is easier to see in a table
			if !verb.MatchString(english) {
				c.fixed[english] = french
				continue
			}
			c.templates = append(c.templates, newTemplate(english, french))
		}
	}
	slices.SortFunc(c.templates, func(a, b template) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.french, b.french))
	})
	return c
}

func newTemplate(english, french string) template {
	t := template{french: french}
	var pattern strings.Builder
	at := 0
	for _, m := range verb.FindAllStringSubmatchIndex(english, -1) {
		fixed := english[at:m[0]]
		if at == 0 {
			t.prefix = fixed
		}
		t.weight += len(fixed)
		pattern.WriteString(regexp.QuoteMeta(fixed))
		switch english[m[4]] {
		case 'd':
			pattern.WriteString(`([+-]?[0-9][0-9,.]*)`)
		case 'q':
			pattern.WriteString(`("(?:[^"\\]|\\.)*")`)
		default:
			pattern.WriteString(`(.+?)`)
		}
		at = m[1]
	}
	t.weight += len(english[at:])
	pattern.WriteString(regexp.QuoteMeta(english[at:]))
	t.pattern = regexp.MustCompile(`(?s)\A` + pattern.String() + `\z`)
	return t
}

// separators join messages to one text. The first one that leads to a message is taken.
var separators = []string{"\n", "; ", ": "}

// French returns a message in French. It returns false if the message is not one of the program's. Parts of a text that
// are not known stay as they are, such as the answer of a source.
func French(text string) (string, bool) {
	return loaded().translate(text, 0)
}

// maxDepth bounds how often a message may contain another one; errors of sources have any form and length.
const maxDepth = 8

func (c *catalog) translate(text string, depth int) (string, bool) {
	if french, ok := c.fixed[text]; ok {
		return french, true
	}
	if text == "" || depth > maxDepth || len(text) > 16<<10 {
		return text, false
	}
	multiline := strings.Contains(text, "\n")
	for _, t := range c.templates {
		if multiline || !strings.HasPrefix(text, t.prefix) {
			continue
		}
		if found := t.pattern.FindStringSubmatch(text); found != nil {
			return c.fill(t.french, found[1:], depth), true
		}
	}
	for _, separator := range separators {
		if french, ok := c.parts(text, separator, depth); ok {
			return french, true
		}
	}
	return text, false
}

// fill puts the parameters of a message into its French.
func (c *catalog) fill(french string, parameters []string, depth int) string {
	next := 0
	return verb.ReplaceAllStringFunc(french, func(v string) string {
		n := next
		if m := verb.FindStringSubmatch(v); m[1] != "" {
			n, _ = strconv.Atoi(m[1])
			n--
		}
		next = n + 1
		if n >= len(parameters) {
			return ""
		}
		part, _ := c.translate(parameters[n], depth+1)
		return part
	})
}

// parts translates the messages that separator joins.
func (c *catalog) parts(text, separator string, depth int) (string, bool) {
	parts, known := strings.Split(text, separator), false
	if separator == ": " { // one level: the rest is a message again
		parts = strings.SplitN(text, separator, 2)
	}
	if len(parts) < 2 {
		return text, false
	}
	for i, p := range parts {
		french, ok := c.translate(p, depth+1)
		parts[i], known = french, known || ok
	}
	if separator != "\n" {
		separator = "\u00a0" + separator // French has a space before the mark
	}
	return strings.Join(parts, separator), known
}

// Tables yields each English message with its French, in the form of the tables.
func Tables() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, table := range tables() {
			for english, french := range table {
				if !yield(english, french) {
					return
				}
			}
		}
	}
}

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

	lru "github.com/hashicorp/golang-lru/v2"
)

// verb is a verb of a template: as in package fmt, with the number of the parameter if the order differs.
var verb = regexp.MustCompile(`%(?:\[(\d+)\])?([dgqsvwx])`)

// template is a message with parameters.
type template struct {
	fixed   []string // the texts around the parameters; the first and the last one may be empty
	weight  int      // length of the fixed text: of two templates that match, the one with more of it is meant
	nested  []bool   // by parameter: whether it is a message itself, and no value such as a name
	pattern *regexp.Regexp
	french  string
}

// mayMatch reports whether a text has all fixed texts, in their order. It is much cheaper than the pattern, and false
// for nearly all texts that do not match.
func (t *template) mayMatch(text string) bool {
	last := len(t.fixed) - 1
	rest, ok := strings.CutPrefix(text, t.fixed[0])
	if !ok {
		return false
	}
	if rest, ok = strings.CutSuffix(rest, t.fixed[last]); !ok {
		return false
	}
	for _, fixed := range t.fixed[1:last] {
		_, after, found := strings.Cut(rest, fixed)
		if !found {
			return false
		}
		rest = after
	}
	return true
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

// isShort reports whether the rest of a message that begins with a parameter says too little: "%s failed" fits many
// texts of sources. Then the parameter must be the name of an asset or a job, with an underscore.
func isShort(rest string) bool {
	word, _, _ := strings.Cut(rest, ": ")
	return len(word) <= len(" requeued")
}

// newTemplate reads a line of a table. A parameter is translated too if it is a message itself: an error (%w, %v), what
// follows a colon at the end, and what has %v in French. Other parameters are values, which stay as they are.
func newTemplate(english, french string) template {
	t := template{french: french}
	var pattern strings.Builder
	at := 0
	inFrench := verb.FindAllString(french, -1)
	for _, m := range verb.FindAllStringSubmatchIndex(english, -1) {
		fixed := english[at:m[0]]
		t.fixed = append(t.fixed, fixed)
		t.weight += len(fixed)
		pattern.WriteString(regexp.QuoteMeta(fixed))
		kind, n := english[m[4]], len(t.nested)
		last := m[1] == len(english)
		t.nested = append(t.nested, kind == 'w' || kind == 'v' || last && strings.HasSuffix(fixed, ": ") ||
			n < len(inFrench) && strings.HasSuffix(inFrench[n], "v"))
		switch {
		case kind == 's' && n == 0 && fixed == "" && isShort(english[m[1]:]):
			pattern.WriteString(`([a-z0-9]+(?:_[a-z0-9]+)+)`)
		case n == 0 && fixed == "" && !t.nested[n] && kind != 'd': // what stands before a colon is a message of its own
			pattern.WriteString(`("(?:[^"\\]|\\.)*"|(?:[^:]|:[^ ])+?)`)
		case kind == 'd':
			pattern.WriteString(`([+-]?[0-9][0-9,.]*)`)
		case kind == 'q':
			pattern.WriteString(`("(?:[^"\\]|\\.)*")`)
		default:
			pattern.WriteString(`(.+?)`)
		}
		at = m[1]
	}
	t.fixed = append(t.fixed, english[at:])
	t.weight += len(english[at:])
	pattern.WriteString(regexp.QuoteMeta(english[at:]))
	t.pattern = regexp.MustCompile(`(?s)\A` + pattern.String() + `\z`)
	return t
}

// separators join messages to one text. The first one that leads to a message is taken.
var separators = []string{"\n", "; ", ": "}

// Bounds of the work for one text, which may be an error of a source and have any form. A message of the program has a
// few hundred bytes and a few parts; what is beyond the bounds stays in English.
const (
	maxLength = 2 << 10 // in bytes
	maxDepth  = 8       // of messages within messages
	maxParts  = 32      // messages within a text, at all depths
)

// French returns a message in French. It returns false if the message is not one of the program's. Parts of a text that
// are not known stay as they are, such as the answer of a source.
func French(text string) (string, bool) {
	if text == "" || len(text) > maxLength {
		return text, false
	}
	if french, ok := recent.Get(text); ok {
		return french.text, french.known
	}
	t := translation{catalog: loaded()}
	french, known := t.translate(text, 0)
	recent.Add(text, result{french, known})
	return french, known
}

// recent has the last translations, because a list of runs has the same few messages again and again.
var recent = must(lru.New[string, result](1024))

type result struct {
	text  string
	known bool
}

func must[T any](v T, err error) T {
	if err != nil { // a size below 1
		panic(err)
	}
	return v
}

// translation is the translation of one text.
type translation struct {
	*catalog
	parts int // so far
}

func (t *translation) translate(text string, depth int) (string, bool) {
	if french, ok := t.fixed[text]; ok {
		return french, true
	}
	if t.parts++; text == "" || depth > maxDepth || t.parts > maxParts {
		return text, false
	}
	if !strings.Contains(text, "\n") {
		for i := range t.templates {
			template := &t.templates[i]
			if !template.mayMatch(text) {
				continue
			}
			if found := template.pattern.FindStringSubmatch(text); found != nil {
				return t.fill(template, found[1:], depth), true
			}
		}
	}
	for _, separator := range separators {
		if french, ok := t.joined(text, separator, depth); ok {
			return french, true
		}
	}
	return text, false
}

// fill puts the parameters of a message into its French.
func (t *translation) fill(template *template, parameters []string, depth int) string {
	next := 0
	return verb.ReplaceAllStringFunc(template.french, func(v string) string {
		n := next
		if m := verb.FindStringSubmatch(v); m[1] != "" {
			n, _ = strconv.Atoi(m[1])
			n--
		}
		next = n + 1
		if n >= len(parameters) {
			return ""
		}
		part := parameters[n]
		if template.nested[n] {
			part, _ = t.translate(part, depth+1)
		}
		return part
	})
}

// joined translates the messages that separator joins.
func (t *translation) joined(text, separator string, depth int) (string, bool) {
	parts, known := strings.Split(text, separator), false
	if separator == ": " { // one level: the rest is a message again
		parts = strings.SplitN(text, separator, 2)
	}
	if len(parts) < 2 {
		return text, false
	}
	for i, p := range parts {
		french, ok := t.translate(p, depth+1)
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

// Package runconfig reads, validates and completes run config. FromYAML converts YAML 1.2, which includes JSON; a Spec
// validates the config of one asset; Resolve turns the config of a request into one config for each asset of a run.
// Begin reading at Resolve.
package runconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// SyntaxError means that a text is not a YAML document.
type SyntaxError struct{ Detail string }

func (e *SyntaxError) Error() string { return e.Detail }

// Fault is what is wrong with a value of a document, and where, as a JSON pointer.
type Fault struct{ Pointer, Detail string }

// Error lists the first faults of a document that cannot be converted to JSON.
type Error struct{ Faults []Fault }

func (e *Error) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = strings.TrimSpace(f.Pointer + ": " + f.Detail)
	}
	return strings.Join(parts, "; ")
}

const (
	// maxFaults bounds the list of an Error, maxPointer its pointers in bytes, and maxDepth how deep values may be
	// within each other.
	maxFaults, maxPointer, maxDepth = 20, 200, 64
	// maxWeight bounds what the parser is given: it makes up to 2 KB of a byte. See weigh.
	maxWeight = 45_000
)

// FromYAML converts a YAML document to JSON; nil if it is empty. Scalars follow the core schema of YAML 1.2, as in the
// web UI: no is a string, and 010 is ten. It refuses aliases, anchors, tags, values that JSON does not have, and
// repeated keys. The error is a *SyntaxError or an *Error.
func FromYAML(text []byte) (json.RawMessage, error) {
	if !utf8.Valid(text) {
		return nil, &SyntaxError{Detail: "not valid UTF-8"}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if m := version.FindSubmatchIndex(text); m != nil { // the parser accepts only 1.1
		text = bytes.Clone(text)
		copy(text[m[2]:m[3]], "#")
	}
	if weigh(text) > maxWeight {
		return nil, &SyntaxError{Detail: "too many values for YAML: want fewer, or JSON"}
	}
	root, err := document(text)
	if err != nil || root == nil {
		return nil, err
	}
	c := converter{}
	c.value(root)
	if len(c.faults) > 0 {
		return nil, &Error{Faults: c.faults}
	}
	return c.out.Bytes(), nil
}

// weigh estimates the cost of parsing a text by the characters in it that may begin a value. Flow style and pairs weigh
// more, because the parser looks ahead.
func weigh(text []byte) (weight int) {
	for i, b := range text {
		switch b {
		case ',', '[', ']', '{', '}', '&', '*', '!':
			weight += 4
		case '\n', '\r', '"', '\'':
			weight++
		case ':':
			if i+1 == len(text) || text[i+1] <= ' ' || i > 0 && (text[i-1] == '"' || text[i-1] == '\'') {
				weight += 5
			}
		case '-', '?':
			if i+1 == len(text) || text[i+1] <= ' ' {
				weight++
			}
		}
	}
	return weight
}

var version = regexp.MustCompile(`^(?:[ \t]*(?:#[^\r\n]*)?\r?\n)*(%)YAML[ \t]+1\.2[ \t]*(?:#[^\r\n]*)?\r?\n`)

// document returns the only document of a text; nil if it is empty.
func document(text []byte) (root *yaml.Node, err error) {
	l, err := yaml.NewLoader(
		bytes.NewReader(text), yaml.WithV4Defaults(), yaml.WithUniqueKeys(false), yaml.WithStreamNodes(),
	)
	if err != nil {
		return nil, err
	}
	for {
		var n yaml.Node
		err := l.Load(&n)
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, &SyntaxError{Detail: syntax(err)}
		}
		if n.Kind == yaml.StreamNode {
			if s := n.Stream; s != nil &&
				(len(s.TagDirectives) > 0 || s.Version != nil && (s.Version.Major != 1 || s.Version.Minor != 2)) {
				return nil, &SyntaxError{Detail: "want YAML 1.2 without directives"}
			}
			continue
		}
		if root != nil {
			return nil, &SyntaxError{Detail: fmt.Sprintf("line %d: another document begins: want one", n.Line)}
		}
		if n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
			return nil, &SyntaxError{Detail: "want one value"}
		}
		root = n.Content[0]
	}
}

// position matches the parser's name and position in its errors.
var position = regexp.MustCompile(
	`^(?:go-)?yaml(?: load error)?(?: in \w+)?(?: \([^)]*\))?(?: at (?:.*?)L(\d+)\.C(\d+)\S*)?: `,
)

// syntax returns the parser's error in one line: where, and what.
func syntax(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if m := position.FindStringSubmatch(s); m != nil {
		if s = s[len(m[0]):]; m[1] != "" {
			s = fmt.Sprintf("line %s, column %s: %s", m[1], m[2], s)
		}
	}
	return s
}

type converter struct {
	out    bytes.Buffer
	faults []Fault
	path   []string // to the value that is being converted
}

// pointer returns the path as a JSON pointer. It is made for faults only: one for each value would cost the number of
// values times their depth.
func (c *converter) pointer() string {
	var b strings.Builder
	for _, part := range c.path {
		if b.Len() > maxPointer {
			break
		}
		b.WriteByte('/')
		b.WriteString(escapePointer.Replace(clip(part)))
	}
	return clip(b.String())
}

// clip cuts a string that is too long for a pointer.
func clip(s string) string {
	if len(s) <= maxPointer {
		return s
	}
	return strings.ToValidUTF8(s[:maxPointer], "") + "…"
}

// within converts a nested value.
func (c *converter) within(part string, f func()) {
	c.path = append(c.path, part)
	f()
	c.path = c.path[:len(c.path)-1]
}

func (c *converter) fault(n *yaml.Node, format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(
			c.faults,
			Fault{Pointer: c.pointer(), Detail: fmt.Sprintf("line %d: ", n.Line) + fmt.Sprintf(format, args...)},
		)
	}
}

// value writes a node as JSON.
func (c *converter) value(n *yaml.Node) {
	if len(c.faults) >= maxFaults || !c.plain(n) {
		return
	}
	if len(c.path) > maxDepth {
		c.fault(n, "values are more than %d deep within each other", maxDepth)
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		c.mapping(n)
	case yaml.SequenceNode:
		c.out.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				c.out.WriteByte(',')
			}
			c.within(strconv.Itoa(i), func() { c.value(item) })
		}
		c.out.WriteByte(']')
	case yaml.ScalarNode:
		c.scalar(n)
	default:
		c.fault(n, "is neither a mapping, a sequence nor a scalar")
	}
}

// plain refuses nodes that would make a small document large, or different from what it looks like.
func (c *converter) plain(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		c.fault(n, "*%.40s is an alias: want the value itself", n.Value)
	case n.Anchor != "":
		c.fault(n, "&%.40s is an anchor, which is not taken", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		c.fault(n, "%.40s is a tag, which is not taken; a text is written in quotation marks", n.Tag)
	default:
		return true
	}
	return false
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

func (c *converter) mapping(n *yaml.Node) {
	c.out.WriteByte('{')
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !c.plain(key) {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			c.fault(key, "a key is a mapping or a sequence: want a text")
			continue
		}
		name := keyText(key)
		if seen[name] {
			c.within(name, func() { c.fault(key, "is given twice") })
			continue
		}
		seen[name] = true
		if i > 0 {
			c.out.WriteByte(',')
		}
		c.text(name)
		c.out.WriteByte(':')
		c.within(name, func() { c.value(value) })
	}
	c.out.WriteByte('}')
}

// keyText returns a key as JavaScript has it, where keys are strings: an empty key is that of null, and 010 is "10".
func keyText(n *yaml.Node) string {
	if n.Style != 0 {
		return n.Value
	}
	switch json, finite := resolve(n.Value); {
	case json == "null":
		return ""
	case json != "" && finite:
		return json
	}
	return n.Value
}

func (c *converter) scalar(n *yaml.Node) {
	if n.Style != 0 {
		c.text(n.Value)
		return
	}
	switch json, finite := resolve(n.Value); {
	case !finite:
		c.fault(n, "%.40s cannot be a number in JSON", n.Value)
	case json != "":
		c.out.WriteString(json)
	default:
		c.text(n.Value)
	}
}

func (c *converter) text(s string) {
	raw, err := json.Marshal(s)
	if err != nil { // cannot happen: it is UTF-8
		return
	}
	c.out.Write(raw)
}

var (
	integer   = regexp.MustCompile(`^[-+]?[0-9]+$`)
	based     = regexp.MustCompile(`^0(?:o[0-7]+|x[0-9a-fA-F]+)$`)
	decimal   = regexp.MustCompile(`^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$`)
	notFinite = regexp.MustCompile(`^(?:[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$`)
)

// resolve returns the JSON of an unquoted scalar by the core schema; empty if it is a string. finite is false for a
// number that JSON does not have. source: YAML 1.2.2, 10.3.2
func resolve(s string) (json string, finite bool) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return "null", true
	case "true", "True", "TRUE":
		return "true", true
	case "false", "False", "FALSE":
		return "false", true
	}
	if !strings.ContainsRune("+-.0123456789", rune(s[0])) {
		return "", true
	}
	switch {
	case integer.MatchString(s): // of any length
		minus := strings.HasPrefix(s, "-")
		if s = strings.TrimLeft(s, "+-0"); s == "" {
			return "0", true
		}
		if minus {
			s = "-" + s
		}
		return s, true
	case based.MatchString(s):
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			return "", false
		}
		return strconv.FormatUint(n, 10), true
	case notFinite.MatchString(s):
		return "", false
	case decimal.MatchString(s):
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && math.IsInf(f, 0) {
			return "", false
		}
		return number(f), true
	}
	return "", true
}

// number writes a float as JavaScript does: 5.0 is 5.
func number(f float64) string {
	raw, err := json.Marshal(f)
	if err != nil || f == 0 {
		return "0"
	}
	return string(raw)
}

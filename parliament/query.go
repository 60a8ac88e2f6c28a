package parliament

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWords, maxPhrase and maxNumbers limit a query: the database takes very long to rank by many words.
const (
	maxWords   = 24
	maxPhrase  = 12
	maxNumbers = 100
)

// query is a parsed search query.
type query struct {
	numbers, notNumbers []numberTerm
	// terms are words and phrases, notTerms those that no bill found may have. The term | stands between alternatives.
	terms, notTerms []string
	// sessions are those that the search is narrowed to, where no number belongs to them.
	sessions []string
	// phrases says that something was in quotation marks.
	phrases bool
	// title is all of the text, to be compared with whole titles, and rest is what numbers leave of it; empty if they can
	// be none.
	title, rest string
}

// numberTerm is a bill's number. Without a prefix it matches both chambers, without a session all of them. The session
// "44-" matches all sessions of the 44th Parliament.
type numberTerm struct {
	prefix  string
	digits  int
	suffix  string
	session string
}

// onlyNumbers reports whether the query has numbers and nothing else.
func (q *query) onlyNumbers() bool { return len(q.numbers) > 0 && len(q.terms) == 0 }

// bare reports whether a number has no prefix, so that it may be something else.
func (q *query) bare() bool {
	return slices.ContainsFunc(q.numbers, func(n numberTerm) bool { return n.prefix == "" })
}

// bareTerms returns the numbers without a prefix as words.
func (q *query) bareTerms() (terms []string) {
	for _, n := range q.numbers {
		if n.prefix == "" && len(terms) < maxWords {
			terms = append(terms, strconv.Itoa(n.digits)+strings.ToLower(n.suffix))
		}
	}
	return terms
}

// empty reports whether the query has no terms.
func (q *query) empty() bool {
	return len(q.numbers)+len(q.notNumbers)+len(q.terms)+len(q.notTerms)+len(q.sessions) == 0
}

// strict reports whether the query has phrases or exclusions. Then there is no search by spelling.
func (q *query) strict() bool { return q.phrases || len(q.notTerms)+len(q.notNumbers) > 0 }

// furniture are words that say nothing beside a number.
var furniture = wordSet(`
	a act acts and bill bills chamber commons de des du et house in la le legislature les loi lois n no nos number
	numero of or ou parliament projet projets s senate senat session sessions the to`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}

// parseQuery parses a text that explorer_plain normalized. Every text is a valid query.
func parseQuery(plain string) query {
	// not NULL
	p := parser{
		text: plain, seen: map[string]bool{}, q: query{terms: []string{}, notTerms: []string{}, sessions: []string{}},
	}
	p.split()
	q := p.query()
	if len(q.notTerms)+len(q.notNumbers) == 0 && strings.ContainsFunc(p.text, isWord) { // a phrase alone is no title
		q.title = plain
	}
	if q.strict() {
		q.rest = ""
	}
	q.rest = aroundNumber.ReplaceAllString(q.rest, "")
	return q
}

type parser struct {
	text string // what is left of it
	q    query
	seen map[string]bool
}

// split removes phrases and exclusions from the text. A hyphen excludes what follows it if it stands at the start, or
// after a blank or a bracket. A quotation mark without another counts as a blank.
func (p *parser) split() {
	var text strings.Builder
	rest := p.text
	fresh := true // at the start of a word
	for rest != "" {
		word := strings.TrimLeft(rest, "-")
		not := fresh && len(word) < len(rest) && word != "" && !strings.HasPrefix(word, " ")
		if not {
			rest = word
		}
		if phrase, after, ok := quoted(rest, fresh); ok {
			text.WriteByte(' ')
			p.phrase(phrase, not)
			rest, fresh = after, true
			continue
		}
		if not {
			if n, length, ok := numberAt(rest, 0, false); ok {
				p.q.notNumbers = appendBounded(p.q.notNumbers, n)
				rest = rest[length:]
			} else {
				end := strings.IndexAny(rest, ` "`)
				if end < 0 {
					end = len(rest)
				}
				p.leaveOut(rest[:end])
				rest = rest[end:]
			}
			text.WriteByte(' ')
			fresh = true
			continue
		}
		r, size := utf8.DecodeRuneInString(rest)
		if r == '"' {
			r = ' '
		}
		text.WriteRune(r)
		fresh = strings.ContainsRune(" ([{,;", r)
		rest = rest[size:]
	}
	p.text = text.String()
}

// quoted removes a phrase in quotation marks, or between two apostrophes that are not part of words, from the start of
// a text.
func quoted(s string, fresh bool) (phrase, after string, ok bool) {
	switch {
	case strings.HasPrefix(s, `"`):
		phrase, after, ok = strings.Cut(s[1:], `"`)
		return phrase, after, ok
	case fresh && strings.HasPrefix(s, `'`):
		for i := 1; i < len(s) && s[i] != '"'; i++ {
			if s[i] == '\'' && i > 1 && wordAt(s[:i], -1) && !wordAt(s[i+1:], 1) {
				return s[1:i], s[i+1:], true
			}
		}
	}
	return "", "", false
}

// wordAt reports whether a text begins (1) or ends (-1) with a letter or a digit.
func wordAt(s string, where int) bool {
	r, _ := utf8.DecodeRuneInString(s)
	if where < 0 {
		r, _ = utf8.DecodeLastRuneInString(s)
	}
	return isWord(r)
}

// isWord reports whether a rune of a normalized text belongs to a word, as in the SQL function explorer_words.
func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= utf8.RuneSelf && r != utf8.RuneError
}

func isSeparator(r rune) bool { return !isWord(r) }

func (p *parser) phrase(text string, not bool) {
	inner := parser{text: text, seen: map[string]bool{}}
	if q := inner.query(); q.onlyNumbers() &&
		!slices.ContainsFunc(q.numbers, func(n numberTerm) bool { return n.prefix == "" }) {
		if not {
			p.q.notNumbers = appendBounded(p.q.notNumbers, q.numbers...)
		} else {
			p.q.numbers = appendBounded(p.q.numbers, q.numbers...)
		}
		return
	}
	words := strings.Fields(text)
	text = strings.Join(words[:min(maxPhrase, len(words))], " ")
	if not {
		p.leaveOut(text)
		return
	}
	if p.add(text) {
		p.q.phrases = true
	}
}

func (p *parser) leaveOut(term string) {
	if term = strings.ReplaceAll(term, "|", " "); strings.IndexFunc(term, isWord) >= 0 && len(p.q.notTerms) < maxWords &&
		!slices.Contains(p.q.notTerms, term) {
		p.q.notTerms = append(p.q.notTerms, term)
	}
}

// add adds a term unless it is empty or exists already.
func (p *parser) add(term string) bool {
	term = strings.Trim(strings.ReplaceAll(term, "|", " "), " ")
	if strings.IndexFunc(term, isWord) < 0 || p.seen[term] || len(p.q.terms) >= maxWords {
		return false
	}
	if parts := strings.FieldsFunc(term, isSeparator); len(parts) > maxPhrase {
		term = strings.Join(parts[:maxPhrase], " ")
	}
	p.seen[term] = true
	p.q.terms = append(p.q.terms, term)
	return true
}

func appendBounded(to []numberTerm, more ...numberTerm) []numberTerm {
	for _, n := range more {
		if len(to) < maxNumbers && !slices.Contains(to, n) {
			to = append(to, n)
		}
	}
	return to
}

var (
	numberPart = regexp.MustCompile(
		`^(?:([1-9]\d{0,2}-[1-9]\d?) ?/ ?)?([cs])(?: ?[-./_:#]{1,2} ?| )?0{0,9}([1-9]\d{0,4})([a-z]{0,2})`,
	)
	barePart = regexp.MustCompile(`^0{0,9}([1-9]\d{0,4})([a-z]?)`)
	// namedPart is a number without a prefix that is called one.
	namedPart = regexp.MustCompile(
		`^(?:bills?|projets? de loi)(?: (?:no|number|numero|n)\b\.?)? ?#? ?0{0,9}([1-9]\d{0,4})([a-z]?)`,
	)
	// listPart is a further number that is listed after one, and shares its prefix.
	listPart     = regexp.MustCompile(`^(?: ?[,;/&] ?(?:(?:and|et|or|ou|&) )?| (?:and|et|or|ou) )0{0,9}([1-9]\d{0,2})`)
	aroundNumber = regexp.MustCompile(
		`^[^a-z0-9]*(?:bills?|projets? de loi)?[^a-z0-9]*$|` +
			`^[^a-z0-9]*(?:(?:bills?|projets? de loi)\b)?[^a-z0-9]+|[^a-z0-9]*$`,
	)
	sessionPart = regexp.MustCompile(`^([1-9]\d{0,2}-[1-9]\d?)`)
	parlPart    = regexp.MustCompile(
		`^(?:([1-9]\d{0,2}) ?(?:st|nd|rd|th|e|eme|ieme|re|ere|er) (?:parliament|legislature)|` +
			`(?:parliament|legislature) ([1-9]\d{0,2}))`,
	)
	sittingPart = regexp.MustCompile(
		`^(?:([1-9]\d?) ?(?:st|nd|rd|th|e|eme|ieme|re|ere|er) session|session ([1-9]\d?)|` +
			`(first|second|third|fourth|premiere|deuxieme|troisieme|quatrieme) session)`,
	)
	sittingWords = map[string]string{
		"first": "1", "premiere": "1", "second": "2", "deuxieme": "2", "third": "3", "troisieme": "3", "fourth": "4",
		"quatrieme": "4",
	}
)

// matchAt matches an anchored pattern at an offset of a text. The match must begin and end at word boundaries.
func matchAt(pattern *regexp.Regexp, s string, at int) []string {
	if wordAt(s[:at], -1) {
		return nil
	}
	m := pattern.FindStringSubmatch(s[at:])
	if m == nil || m[0] == "" || wordAt(s[at+len(m[0]):], 1) {
		return nil
	}
	return m
}

// numberAt parses a bill's number at an offset of a text. With bare, the number needs no prefix.
func numberAt(s string, at int, bare bool) (n numberTerm, length int, ok bool) {
	// 's 203 is no number
	if m := matchAt(numberPart, s, at); m != nil && (m[2] != "s" || !strings.HasSuffix(s[:at], "'")) {
		n.session, n.prefix, n.suffix = m[1], strings.ToUpper(m[2]), strings.ToUpper(m[4])
		n.digits, _ = strconv.Atoi(m[3])
		return n, len(m[0]), true
	}
	pattern := namedPart
	if bare {
		pattern = barePart
	}
	if m := matchAt(pattern, s, at); m != nil {
		n.suffix = strings.ToUpper(m[2])
		n.digits, _ = strconv.Atoi(m[1])
		return n, len(m[0]), true
	}
	return n, 0, false
}

// query parses the numbers, then the words.
func (p *parser) query() query {
	text := p.text
	rest, found := numbersOf(text, false)
	if len(found.numbers) == 0 && len(p.q.numbers) == 0 && len(p.q.terms) == 0 {
		// Nothing but digits: they are numbers.
		if bareRest, bare := numbersOf(text, true); len(bare.numbers) > 0 && onlyFurniture(bareRest) {
			rest, found = bareRest, bare
		}
	}
	own := len(p.q.numbers) > 0 // in quotation marks
	p.q.numbers = appendBounded(p.q.numbers, found.assign()...)
	if len(found.numbers) == 0 {
		p.q.sessions = append(p.q.sessions, found.sessions()...)
	}
	for _, word := range strings.Fields(rest) {
		word = strings.TrimFunc(word, isSeparator)
		switch {
		case (len(found.numbers) > 0 || own || len(p.q.sessions) > 0) && onlyFurniture(word):
		case word == "or" && len(p.q.terms) > 0 && p.q.terms[len(p.q.terms)-1] != "|":
			p.q.terms = append(p.q.terms, "|")
			clear(p.seen) // the same word may stand on both sides
		default:
			p.add(word)
		}
	}
	if n := len(p.q.terms); n > 0 && p.q.terms[n-1] == "|" {
		p.q.terms[n-1] = "or" // at the end it is a word
	}
	if len(found.numbers) > 0 {
		p.q.rest = rest
	}
	return p.q
}

// onlyFurniture reports whether a text has only words that say nothing.
func onlyFurniture(text string) bool {
	for word := range strings.FieldsFuncSeq(text, isSeparator) {
		if !furniture[word] {
			return false
		}
	}
	return true
}

// found holds numbers and sessions in the order of the text.
type found struct {
	items   []numberTerm // those without digits are sessions
	numbers []int        // which of the items are numbers
}

// numbersOf removes numbers and sessions from a text.
func numbersOf(text string, bare bool) (rest string, f found) {
	var out strings.Builder
	parliament, sitting := "", ""
	for at := 0; at < len(text); {
		ofSession := matchAt(sessionPart, text, at) != nil || matchAt(parlPart, text, at) != nil ||
			matchAt(sittingPart, text, at) != nil
		if n, length, ok := numberAt(text, at, bare && !ofSession); ok {
			f.numbers = append(f.numbers, len(f.items))
			f.items = append(f.items, n)
			out.WriteByte(' ')
			at += length
			for {
				m := listPart.FindStringSubmatch(text[at:])
				if m == nil || wordAt(text[at+len(m[0]):], 1) || strings.HasPrefix(text[at+len(m[0]):], "-") {
					break
				}
				next := numberTerm{prefix: n.prefix}
				next.digits, _ = strconv.Atoi(m[1])
				f.numbers = append(f.numbers, len(f.items))
				f.items = append(f.items, next)
				at += len(m[0])
			}
			continue
		}
		if m := matchAt(sessionPart, text, at); m != nil && !strings.HasSuffix(text[:at], "-") &&
			!strings.HasPrefix(text[at+len(m[0]):], "-") {
			f.items = append(f.items, numberTerm{session: m[0]})
			out.WriteByte(' ')
			at += len(m[0])
			continue
		}
		if m := matchAt(parlPart, text, at); m != nil && parliament == "" {
			parliament = m[1] + m[2]
			at += len(m[0])
			continue
		}
		if m := matchAt(sittingPart, text, at); m != nil && sitting == "" {
			if sitting = m[1] + m[2] + sittingWords[m[3]]; parliament == "" {
				out.WriteString(m[0]) // of what Parliament may be said yet
			}
			at += len(m[0])
			continue
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		out.WriteString(text[at : at+size])
		at += size
	}
	if parliament != "" {
		f.items = append(f.items, numberTerm{session: parliament + "-" + sitting})
	}
	return out.String(), f
}

// assign sets the session of each number. If a session comes first, each session applies to the numbers after it, else
// to the numbers before it. A number with a session of its own keeps it.
func (f found) assign() []numberTerm {
	forward := len(f.items) > 0 && f.items[0].digits == 0
	session := ""
	out := make([]numberTerm, len(f.items))
	for i := range f.items {
		at := i
		if !forward {
			at = len(f.items) - 1 - i
		}
		if out[at] = f.items[at]; out[at].digits == 0 {
			session = out[at].session
		} else if out[at].session == "" {
			out[at].session = session
		}
	}
	return slices.DeleteFunc(out, func(n numberTerm) bool { return n.digits == 0 })
}

func (f found) sessions() []string {
	var out []string
	for _, n := range f.items {
		if n.session != "" && !slices.Contains(out, n.session) && len(out) < maxNumbers {
			out = append(out, n.session)
		}
	}
	return out
}

// within returns the number of edits up to which a word counts as misspelled: 0 below four letters, 1 below eight, else
// 2.
func within(length int) int {
	switch {
	case length < 4:
		return 0
	case length < 8:
		return 1
	}
	return 2
}

// edits returns how many letters must be inserted, deleted, replaced or swapped with their neighbour to change a into
// b. It returns limit+1 if more than limit are needed.
// source: Damerau, A technique for computer detection and correction of spelling errors (1964); optimal string
// alignment
func edits(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d > limit || -d > limit {
		return limit + 1
	}
	before, last, next := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		next[0] = i
		least := i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
			least = min(least, next[j])
		}
		if least > limit {
			return limit + 1
		}
		before, last, next = last, next, before
	}
	return last[len(y)]
}

// hasLetter reports whether a text has a letter. Numbers have none, and are never misspelled.
func hasLetter(s string) bool { return strings.IndexFunc(s, unicode.IsLetter) >= 0 }

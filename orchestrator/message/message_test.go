package message_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/message"
)

func TestFrench(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ english, french string }{
		{"no new bills", "aucun nouveau projet de loi"},
		{"took longer than 30m0s", "a duré plus de 30m0s"},
		{"the run took longer than 1h0m0s", "l’exécution a duré plus de 1h0m0s"},
		{`asset "fetch_bils" does not exist`, `l’actif "fetch_bils" n’existe pas`},
		{
			"1 field is invalid: /config/limit: maximum: got 501, want 500",
			"1 champ n’est pas valide\u00a0: /config/limit\u00a0: maximum\u00a0: reçu 501; il faut au plus 500",
		},
		{
			"source_unavailable: HTTP 503", // a source's own words stay as they are
			"source non disponible\u00a0: HTTP 503",
		},
		{
			"run 0197841c-2a00-7aaa-8000-000000000001 failed\nfetch: nothing could be stored: x",
			"échec de l’exécution 0197841c-2a00-7aaa-8000-000000000001\nfetch\u00a0: rien n’a pu être enregistré\u00a0: x",
		},
		{"query has %zz, which stands for no character: want %25 for a percent sign",
			"query contient %zz, qui ne désigne aucun caractère\u00a0: il faut %25 pour un signe de pourcentage"},
		{ // values are no messages: a client must send them as they are
			`"x" is not a status of runs: want some of queued, started, canceled, with a hyphen before those to leave out`,
			"\"x\" n’est pas un état d’exécution\u00a0: il faut certains de queued, started, canceled, avec un trait d’union " +
				"devant ceux à exclure",
		},
		{"fetch_latest_bills failed", "échec de fetch_latest_bills"},
		{"failed: no new bills", "échec\u00a0: aucun nouveau projet de loi"},
	} {
		if got, ok := message.French(c.english); !ok || got != c.french {
			t.Errorf("%q: got %q, %v, want %q", c.english, got, ok, c.french)
		}
	}
	for _, foreign := range []string{"", "the dog barked", "context canceled", "authentication failed: x", "a: b; c\nd"} {
		if got, ok := message.French(foreign); ok || got != foreign {
			t.Errorf("%q: got %q, %v: not a message of the program", foreign, got, ok)
		}
	}
}

// TestFrenchIsBounded translates texts that sources could send. What is beyond a bound stays in English.
func TestFrenchIsBounded(t *testing.T) {
	t.Parallel()
	const inner, french = "no new bills", "aucun nouveau projet de loi"
	for _, c := range []struct {
		name, english string
		known         bool
		translated    int // how often the inner message is in French
	}{
		{"a few parts", strings.Repeat(inner+"; ", 20) + inner, true, 21},
		{"too many parts", strings.Repeat("x; ", 100) + inner, true, 1}, // known at once, without a search
		{"too many unknown parts", strings.Repeat("x; ", 100) + "took longer than 5s", false, 0},
		{"too deep", strings.Repeat("sensor x: ", 12) + "took longer than 5s", true, 0},
		{"too long", strings.Repeat(inner+"; ", 200) + inner, false, 0},
		{"quotes", strings.Repeat(`"`, 1000) + inner, false, 0},
	} {
		got, ok := message.French(c.english)
		if n := strings.Count(got, french); ok != c.known || n != c.translated || (!ok && got != c.english) {
			t.Errorf("%s: got %.200q, %v, with %d of %d translated", c.name, got, ok, n, c.translated)
		}
		if strings.Contains(got, "a duré") {
			t.Errorf("%s: %.200q is beyond the bounds", c.name, got)
		}
	}
}

// TestTablesKeepParameters compares the parameters of each message in both languages.
func TestTablesKeepParameters(t *testing.T) {
	t.Parallel()
	verbs := regexp.MustCompile(`%(?:\[\d+\])?[dgqsvwx]`)
	reserved := regexp.MustCompile(`[^\x{a0}] [:;?!](\s|$)| »|« `)
	for english, french := range message.Tables() {
		reordered := strings.Contains(french, "%[")
		if n, m := len(verbs.FindAllString(english, -1)), len(verbs.FindAllString(french, -1)); n != m && !reordered {
			t.Errorf("%q has %d parameters, %q %d", english, n, french, m)
		}
		if slices.Contains([]string{" ", ""}, french) || reserved.MatchString(french) {
			t.Errorf("%q: want a non-breaking space (~) before : and within « »", french)
		}
	}
}

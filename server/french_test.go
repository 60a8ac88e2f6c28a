package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// TestProblemsInTheLanguageOfTheClient refuses a request in the language that the client prefers.
func TestProblemsInTheLanguageOfTheClient(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const english, french = `asset "nope" does not exist`, `l’actif "nope" n’existe pas`
	for accept, want := range map[string]string{
		"": english, "en-CA,fr;q=0.5": english, "fr": french, "fr-CA,en;q=0.8": french, "de": english,
		"de, fr;q=0.9, en;q=0.8": french, "fr;q=0": english, "***": english, strings.Repeat("fr,", 500): english,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/assets/nope", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Language", accept)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var p api.Problem
		if err := json.Unmarshal(body, &p); err != nil {
			t.Fatal(err)
		}
		if p.Detail != want || p.Type != "urn:parliament-explorer:not_found" {
			t.Errorf("Accept-Language %.20q: %+v, want %q", accept, p, want)
		}
		if !slices.Contains(res.Header.Values("Vary"), "Accept-Language") {
			t.Errorf("Accept-Language %.20q: Vary %q", accept, res.Header.Values("Vary"))
		}
	}
}

// TestParametersAreRefusedInFrench sends values that no parameter accepts: each sentence is French, and each value is
// what the client must send.
func TestParametersAreRefusedInFrench(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for query, want := range map[string]string{
		"/bills?limit=0":          "doit être au moins 1; reçu 0",
		"/bills?year=x":           `"x" n’est pas un tel nombre; il faut un entier de 1800 à 2200`,
		"/bills?law=maybe":        `"maybe" n’est ni true ni false; il faut l’un des deux`,
		"/bills?session=99":       `"99" n’a pas la forme voulue; il faut par exemple 44-1`,
		"/runs?status=nope":       "queued, started, success, failure, canceling, canceled, avec",
		"/bills?q=%zz":            "la requête ne peut pas être lue",
		"/search":                 "la valeur est obligatoire et manque",
		"/bills?updated_since=at": `"at" n’est pas un moment; il faut la forme de la RFC 3339`,
	} {
		answer := s.do("GET", query, "", "Accept-Language", "fr-CA")
		p := decode[api.Problem](t, answer, answer.StatusCode)
		details := p.Detail
		for _, f := range p.Errors {
			details += "\n" + f.Detail
		}
		if !strings.Contains(details, want) || strings.Contains(details, "want") || strings.Contains(details, "must") {
			t.Errorf("%s: %s; want %s", query, details, want)
		}
	}
}

package server

import (
	"net/http"

	"golang.org/x/text/language"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/message"
)

// described returns a description in both languages.
func described(english, french string) *api.Bilingual {
	out := &api.Bilingual{En: &english}
	if french != "" {
		out.Fr = &french
	}
	return out
}

// bilingual returns a message of the program with its French, if it has one.
func bilingual(english string) *api.Bilingual {
	french, ok := message.French(english)
	if !ok {
		french = ""
	}
	return described(english, french)
}

// bilingualOrNone does the same for a message that there may not be.
func bilingualOrNone(english *string) *api.Bilingual {
	if english == nil {
		return nil
	}
	return bilingual(*english)
}

var problemLanguages = language.NewMatcher([]language.Tag{language.English, language.French})

// maxAcceptLanguage bounds what is parsed of a header that anybody can send.
const maxAcceptLanguage = 200

// wantsFrench reports whether a client prefers French to English.
func wantsFrench(r *http.Request) bool {
	accepted := r.Header.Get("Accept-Language")
	if accepted == "" || len(accepted) > maxAcceptLanguage {
		return false
	}
	tags, _, err := language.ParseAcceptLanguage(accepted)
	if err != nil || len(tags) == 0 {
		return false
	}
	_, index, _ := problemLanguages.Match(tags...)
	return index == 1
}

// inFrench translates a problem. What is not a message of the program stays as it is.
func inFrench(p *api.Problem) {
	p.Title, _ = message.French(p.Title)
	p.Detail, _ = message.French(p.Detail)
	for i := range p.Errors {
		p.Errors[i].Detail, _ = message.French(p.Errors[i].Detail)
	}
}

package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/web"
)

// TestPageIsEscaped serves a page whose texts are markup.
func TestPageIsEscaped(t *testing.T) {
	t.Parallel()
	h, err := web.Handler()
	if err != nil {
		t.Fatal(err)
	}
	const evil = `"><script>alert(1)</script>$1`
	r := httptest.NewRequest(http.MethodGet, "/bills/44-1/C-11", http.NoBody)
	r = r.WithContext(web.WithPage(r.Context(), web.Page{
		Status: http.StatusNotFound, Lang: "fr", Title: evil, Description: evil, Head: "<meta name=\"x\" />",
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	page := w.Body.String()
	const escaped = `&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;$1`
	for _, want := range []string{
		`<html lang="fr"`, "<title>" + escaped + "</title>", `<meta name="description" content="` + escaped + `" />`,
		`<meta name="x" /></head>`, `<base href="../../" />`, `<div id="root">`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("want %s in\n%s", want, page)
		}
	}
	if w.Code != http.StatusNotFound || strings.Contains(page, "alert(1)</script>") {
		t.Errorf("%d %s", w.Code, page)
	}
}

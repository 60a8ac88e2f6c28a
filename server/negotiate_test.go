package server

import (
	"strings"
	"testing"
)

func TestPrefersStream(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "text/*": false, "application/json": false, "text/event-stream": true, "Text/Event-Stream": true, "text/event-stream;charset=utf-8": true,
		"text/event-stream;q=0":                            false,
		"text/event-stream; Q=0.000":                       false,
		"text/event-stream;q=0.1, */*":                     false,
		"text/event-stream, */*":                           true,
		"*/*, text/event-stream":                           true,
		"text/event-stream;q=0.5, application/json":        false,
		"application/json;q=0.5, text/event-stream":        true,
		"application/json, text/event-stream":              false, // the same weight: the first
		"text/event-stream, application/json":              true,
		"application/json;q=0.1, text/event-stream;q=0.2":  true,
		"text/event-stream;q=0.9,application/*;q=1":        false,
		"text/event-stream;q=0.9, */*, application/*;q=.5": true, // application/* is the closer one of JSON
		"text/event-stream;q=x":                            false,
		"application/json;q=0, */*, text/event-stream":     true,
		"text/event-streams":                               false,
	} {
		if got := prefersStream(accept); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

func TestChooseCoding(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "GZIP": "gzip", "x-gzip": "gzip", "zstd": "zstd", "gzip, deflate, br, zstd": "zstd", "gzip;q=1.0, zstd;q=0.5": "gzip", "gzip;q=0": "", "gzip;q=0, *": "zstd", "*": "zstd",
		"*;q=0": "", "zstd;q=0, *;q=0.5": "gzip", "identity": "", "identity, gzip;q=0.5": "", "identity;q=0.5, gzip;q=0.5": "gzip", "identity;q=0, gzip;q=0.1": "gzip", "br": "", "deflate": "", "gzip;q=x": "", "gzip;q=2": "",
		"\nzstd;q=0|gzip": "gzip", "br|gzip;q=0.2": "gzip", ", ,gzip": "gzip", "gzip ; q=0.3 , zstd ; q=0.2": "gzip",
	} {
		if got := chooseCoding(strings.Split(accept, "|")); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	const tag = `W/"abc"`
	for header, want := range map[string]bool{
		tag: true, `"abc"`: true, `abc`: true, `*`: true, ` "x" ,  W/"abc"`: true, `"x","abc"`: true,
		`W/"x",W/"abc"`: true, `"a,b", "abc"`: true, `"x" "abc"`: true, ",,,": false,
		"": false, `"ab"`: false, `"abcd"`: false, `"x, abc, y"`: false, `"*"`: false, `"abc`: true, `"x, "`: false, `w/"abc"`: false,
	} {
		if got := matches(&header, tag); got != want {
			t.Errorf("%s: %v, want %v", header, got, want)
		}
	}
	if matches(nil, tag) {
		t.Error("no header matches")
	}
}

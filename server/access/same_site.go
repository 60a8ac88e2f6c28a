package access

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// HomePath is where a browser is sent if the requested path is not allowed.
const HomePath = "/ui/"

// maxSamePath is the maximum length, in bytes, of a path that a browser is sent to.
const maxSamePath = 2000

// SamePath returns a path of this server unchanged, and HomePath for anything else. It is the only place that decides
// where browsers may be sent. web/src/lib/same-site.ts makes the same decision; testdata/same_site.json tests both.
//
// Browsers remove tabs and line ends, treat a backslash as a slash and resolve dots before they look for a host. So a
// path must have none of the former, and no empty segment that could become the start of a host, however often it is
// decoded on its way. The query cannot change the host.
func SamePath(given string) string {
	if !isSamePath(given) {
		return HomePath
	}
	return given
}

func isSamePath(given string) bool {
	if len(given) > maxSamePath || !strings.HasPrefix(given, "/") {
		return false
	}
	for i := range len(given) {
		if c := given[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	path, _, _ := strings.Cut(given, "#")
	if u, err := url.Parse(path); err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	path, _, _ = strings.Cut(path, "?")
	for first := true; ; first = false {
		if strings.Contains(path, "//") ||
			strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
			return false
		}
		decoded, err := url.PathUnescape(path)
		if err != nil || !utf8.ValidString(decoded) {
			return !first // a percent sign that an earlier round decoded is a plain character
		}
		if decoded == path {
			return true
		}
		path = decoded
	}
}

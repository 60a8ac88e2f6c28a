package access

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// HomePath is where a browser goes that is not to go where it was told to.
const HomePath = "/ui/"

// maxSamePath is how long a path may be that a browser is sent to.
const maxSamePath = 2000

// SamePath gives a path of this server as it is, and HomePath instead of anything else: it is the one place that
// decides where browsers may be sent. web/src/lib/same-site.ts decides the same; testdata/same_site.json holds both to
// it.
//
// Browsers drop tabs and line ends, take a backslash for a slash and resolve dots before they look for a host. So a
// path has none of the former, and no empty segment that could become the beginning of a host, however often it is
// decoded on its way. What follows the question mark leads nowhere.
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
			return !first // a percent sign of an earlier round is a character
		}
		if decoded == path {
			return true
		}
		path = decoded
	}
}

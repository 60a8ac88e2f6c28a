package upstream

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// redirectError is the error for a redirect that is not followed.
type redirectError struct{ reason string }

func (e *redirectError) Error() string { return e.reason }

// stay follows redirects within a service only: to the same scheme, host and port, or from http to https if both use
// their default ports.
func stay(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		same := strings.EqualFold(req.URL.Hostname(), base.Hostname()) && req.URL.User == nil
		here := req.URL.Scheme == base.Scheme && port(req.URL) == port(base)
		safer := base.Scheme == "http" && req.URL.Scheme == "https" && port(base) == "80" && port(req.URL) == "443"
		if !same || !here && !safer {
			return &redirectError{
				fmt.Sprintf("a redirect to %s leads away from the service", Words(PublicURL(req.URL.String()))),
			}
		}
		if len(via) >= 5 {
			return &redirectError{"redirects lead in circles"}
		}
		return nil
	}
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// PublicURL returns an address without its parts that may be secret: user, password, query and fragment. An @ behind
// the host may belong to a password with a /, ? or #: such an address is not shown.
func PublicURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	if u.Opaque != "" { // user:password@host without a scheme's slashes
		return u.Scheme + ":..."
	}
	if strings.Contains(u.EscapedPath()+u.RawQuery+u.EscapedFragment(), "@") {
		return "an address that is not shown"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}

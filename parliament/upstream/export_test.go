package upstream

import (
	"net/http"
	"net/url"
)

// Watch sends requests through another transport.
func Watch(c *Client, through func(http.RoundTripper) http.RoundTripper) {
	c.http.Transport = through(c.http.Transport)
}

// MayFollow says why a service's redirect to an address is not followed.
func MayFollow(base, target string) error {
	b, err := url.Parse(base)
	if err != nil {
		return err
	}
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	return stay(b)(&http.Request{URL: u}, nil)
}

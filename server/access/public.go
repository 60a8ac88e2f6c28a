package access

import (
	"fmt"
	"slices"
)

// PublicRead is what may be read without a key or a session. Each value includes those before it.
type PublicRead string

// The values of PublicRead.
const (
	PublicNone PublicRead = "none"
	// PublicData is bills, politicians, votes, search, feeds and exports.
	PublicData PublicRead = "data"
	// PublicAll is also runs, assets, schedules and the like; never keys, sessions, the audit log and webhooks.
	PublicAll PublicRead = "all"
)

var publicOrder = []PublicRead{PublicNone, PublicData, PublicAll}

// ParsePublicRead parses data or all. An empty text is PublicNone. Any other text is an error.
func ParsePublicRead(s string) (PublicRead, error) {
	if s == "" {
		return PublicNone, nil
	}
	if i := slices.Index(publicOrder, PublicRead(s)); i > 0 {
		return publicOrder[i], nil
	}
	return "", fmt.Errorf("%q: want data or all, or leave it unset", s)
}

// PublicReading returns what may be read without a key or a session.
func (c *Control) PublicReading() PublicRead { return c.cfg.PublicRead }

// Public reports whether what needs at least the given PublicRead may be read without a key or a session. Nothing may
// that needs PublicNone.
func (c *Control) Public(needs PublicRead) bool {
	i := slices.Index(publicOrder, needs)
	return i > 0 && slices.Index(publicOrder, c.cfg.PublicRead) >= i
}

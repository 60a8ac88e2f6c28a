package access

import (
	"context"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Recognizes says whether a request carries a key that there is, or what counted lately: then it need not wait behind
// strangers to be identified. client tells those apart who are recognized. It does not say that the request is allowed.
func (c *Control) Recognizes(r *http.Request) (client string, ok bool) {
	if !c.cfg.Required {
		return "", false
	}
	secret := ""
	if header := r.Header.Get("Authorization"); header != "" {
		_, key, _ := strings.Cut(header, " ")
		secret = strings.TrimSpace(key)
	} else if cookie, err := r.Cookie(CookieName); err == nil {
		secret = "session " + cookie.Value
	}
	if secret == "" {
		return "", false
	}
	hash := string(hashKey(secret))
	if _, ok = c.proven.Peek(hash); !ok {
		ok = strings.HasPrefix(secret, keyMark) && c.isKey(hash)
	}
	return hex.EncodeToString([]byte(hash[:16])), ok
}

// keySet holds the hashes of all keys, to tell keys from guesses without asking the database for each.
type keySet struct {
	mu     sync.Mutex
	at     time.Time
	hashes map[string]bool
}

// isKey says whether a hash is that of a key. It asks the database once in keyCache at most, and says no while that
// does not answer.
func (c *Control) isKey(hash string) bool {
	c.keys.mu.Lock()
	fresh, known := time.Since(c.keys.at) < keyCache, c.keys.hashes[hash]
	c.keys.mu.Unlock()
	if fresh {
		return known
	}
	hashes, _, _ := c.asks.Do("all keys", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		rows, err := c.q.ListKeys(ctx)
		hashes := make(map[string]bool, len(rows))
		for _, row := range rows {
			hashes[string(row.Hash)] = true
		}
		if err != nil {
			c.cfg.Logger.Warn("the keys could not be read", "error", err)
		}
		c.keys.mu.Lock()
		defer c.keys.mu.Unlock()
		c.keys.at, c.keys.hashes = time.Now(), hashes
		return hashes, nil
	})
	return hashes.(map[string]bool)[hash]
}

// Limited says whether requests are counted.
func (c *Control) Limited() bool { return c.cfg.Required && c.cfg.RateLimit > 0 }

// Throttle counts what strangers may do so many times a minute each.
type Throttle struct{ limits *limiter }

// NewThrottle makes a Throttle. What may come in six seconds, or a hundred, may come at once.
func NewThrottle(perMinute int) *Throttle {
	l := newLimiter(perMinute)
	l.burst = min(perMinute, max(100, perMinute/10))
	return &Throttle{l}
}

// Allow counts one more of an address. A LimitError if that is too many.
func (t *Throttle) Allow(address string) error {
	bucket := t.limits.bucket(addressKey(address))
	now := time.Now()
	if bucket.AllowN(now, 1) {
		return nil
	}
	return t.limits.refuse((1 - max(0, bucket.TokensAt(now))) / perSecond(bucket))
}

func perSecond(l *rate.Limiter) float64 { return float64(l.Limit()) }

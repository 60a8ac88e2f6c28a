package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Recognizes says whether a request carries a key or a session that counts, or what counted lately: then it need not
// wait behind strangers to be identified. client tells those apart who send something secret. It does not say that the
// request is allowed.
func (c *Control) Recognizes(r *http.Request) (client string, ok bool) {
	if !c.cfg.Required {
		return "", false
	}
	var what, kept string
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, key, _ := strings.Cut(header, " ")
		if key = strings.TrimSpace(key); !strings.EqualFold(scheme, "Bearer") || key == "" {
			return "", false
		}
		what = secretHash(secretKey, key)
		if strings.HasPrefix(key, keyMark) {
			kept = string(hashKey(key))
		}
	} else if token := tokenOf(r); token != "" {
		what, kept = secretHash(secretSession, token), sessionHash(token)
	} else {
		return "", false
	}
	if _, ok = c.proven.Peek(what); !ok {
		ok = kept != "" && c.counts(kept)
	}
	return hex.EncodeToString([]byte(what[:16])), ok
}

// What a secret is of. A key is never taken for a session that reads the same.
const secretKey, secretSession = "key ", "session "

// secretHash is what a secret that was sent is remembered under. What the database has is hashed in other ways:
// hashKey, sessionHash.
func secretHash(kind, secret string) string {
	sum := sha256.Sum256([]byte(kind + secret))
	return string(sum[:])
}

// maxLiveSessions is how many sessions are told from guesses, the newest ones. Others count once they have been asked
// for.
const maxLiveSessions = 20_000

// liveSet holds what the database has of all keys and sessions that count, to tell them from guesses without asking the
// database for each. The hash of a key is never as long as that of a session.
type liveSet struct {
	mu     sync.Mutex
	at     time.Time
	hashes map[string]struct{}
}

// counts says whether a hash is that of a key or a session that counts. It asks the database once in keyCache at most,
// and says no while that does not answer.
func (c *Control) counts(hash string) bool {
	c.live.mu.Lock()
	fresh := time.Since(c.live.at) < keyCache
	_, known := c.live.hashes[hash]
	c.live.mu.Unlock()
	if fresh {
		return known
	}
	hashes, _, _ := c.asks.Do("all that count", func() (any, error) {
		hashes, err := c.readLive()
		if err != nil {
			c.cfg.Logger.Warn("the keys and sessions could not be read", "error", err)
		}
		c.live.mu.Lock()
		defer c.live.mu.Unlock()
		c.live.at, c.live.hashes = time.Now(), hashes
		return hashes, nil
	})
	_, known = hashes.(map[string]struct{})[hash]
	return known
}

func (c *Control) readLive() (map[string]struct{}, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	keys, err := c.q.LiveKeys(ctx)
	if err != nil {
		return nil, err
	}
	sessions, err := c.q.LiveSessions(ctx, maxLiveSessions)
	hashes := make(map[string]struct{}, len(keys)+len(sessions))
	for _, hash := range keys {
		hashes[string(hash)] = struct{}{}
	}
	for _, token := range sessions {
		hashes[token] = struct{}{}
	}
	return hashes, err
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
	return t.limits.refuse(bucket.TokensAt(now))
}

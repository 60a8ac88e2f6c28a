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

// Recognizes reports whether a request carries a key or a session that is valid or was valid lately. Such a request
// need not queue behind unauthenticated ones to be identified. client identifies the sender by its secret. Recognizes
// does not authorize the request.
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
	if _, ok = c.proven.get(what); !ok {
		ok = kept != "" && c.counts(kept)
	}
	return hex.EncodeToString([]byte(what[:16])), ok
}

// The kinds of secrets. They keep a key from being taken for a session with the same text.
const secretKey, secretSession = "key ", "session "

// secretHash returns the hash by which a secret that was sent is remembered. The database stores other hashes: hashKey
// and sessionHash.
func secretHash(kind, secret string) string {
	sum := sha256.Sum256([]byte(kind + secret))
	return string(sum[:])
}

// maxLiveSessions is the number of sessions, newest first, that liveSet holds. Others are recognized once they have
// been looked up.
const maxLiveSessions = 20_000

// liveSet holds the hashes of all valid keys and sessions, to distinguish them from guesses without a query for each.
// The hash of a key never has the length of that of a session.
type liveSet struct {
	mu     sync.Mutex
	at     time.Time
	hashes map[string]struct{}
}

// counts reports whether a hash belongs to a valid key or session. It queries the database once per keyCache at most,
// and returns false while the database does not answer.
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
			c.cfg.Logger.Warn("the valid keys and sessions could not be read", "error", err)
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

// Limited reports whether requests are rate limited.
func (c *Control) Limited() bool { return c.cfg.Required && c.cfg.RateLimit > 0 }

// Throttle limits the rate of requests of each network.
type Throttle struct{ limits *limiter }

// NewThrottle makes a Throttle that allows perMinute requests per minute. Its burst is a tenth of that, but at least
// 100 and at most perMinute.
func NewThrottle(perMinute int) *Throttle {
	l := newLimiter(perMinute, time.Now)
	l.burst = min(perMinute, max(100, perMinute/10))
	return &Throttle{l}
}

// Allow counts a request of an address. It returns a LimitError if there were too many.
func (t *Throttle) Allow(address string) error {
	bucket := t.limits.bucket(addressKey(address))
	now := t.limits.now()
	if bucket.AllowN(now, 1) {
		return nil
	}
	return t.limits.refuse(bucket.TokensAt(now))
}

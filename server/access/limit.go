package access

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxGuesses is how many keys that do not count an address may send in a minute.
const maxGuesses = 30

// limiter counts the requests of many in a minute each: a bucket of so many, which fills evenly.
type limiter struct {
	perMinute int
	buckets   *lru.Cache[[16]byte, *rate.Limiter] // by a hash, so that long names take no more memory
}

func newLimiter(perMinute int) *limiter {
	buckets, _ := lru.New[[16]byte, *rate.Limiter](10_000) // who is pushed out begins anew: it was not busy
	return &limiter{perMinute: perMinute, buckets: buckets}
}

func (l *limiter) bucket(name string) *rate.Limiter {
	sum := sha256.Sum256([]byte(name))
	key := [16]byte(sum[:])
	if b, ok := l.buckets.Get(key); ok {
		return b
	}
	fresh := rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)
	if b, ok, _ := l.buckets.PeekOrAdd(key, fresh); ok {
		return b
	}
	return fresh
}

// LimitError says that somebody sent too many requests.
type LimitError struct {
	PerMinute  int
	RetryAfter time.Duration
}

// Seconds is RetryAfter as the header of that name has it.
func (e *LimitError) Seconds() int { return max(1, int(math.Ceil(e.RetryAfter.Seconds()))) }

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d requests a minute; ask again in %d s", e.PerMinute, e.Seconds())
}

// Allow counts a request and says in its answer's headers what is left: of the identity, or of the address if it is
// nobody's. A LimitError if that is nothing. Without Config.Required nobody is counted.
func (c *Control) Allow(header http.Header, who *Identity, address string) error {
	if !c.cfg.Required || c.limits.perMinute <= 0 {
		return nil
	}
	key := addressKey(address)
	if who != nil {
		key = who.limitKey()
	}
	now := time.Now()
	bucket := c.limits.bucket(key)
	allowed := bucket.AllowN(now, 1)
	left := max(0, bucket.TokensAt(now))
	perSecond := float64(c.limits.perMinute) / 60
	full := (float64(c.limits.perMinute) - left) / perSecond
	// As draft-ietf-httpapi-ratelimit-headers has them.
	header.Set("RateLimit-Policy", fmt.Sprintf(`"default";q=%d;w=60`, c.limits.perMinute))
	header.Set("RateLimit", fmt.Sprintf(`"default";r=%d;t=%d`, int(left), int(math.Ceil(full))))
	if allowed {
		return nil
	}
	return c.limits.refuse((1 - left) / perSecond)
}

// room is a LimitError if a bucket has fewer than so many left; it counts nothing.
func (l *limiter) room(key string, want int) error {
	left := l.bucket(key).TokensAt(time.Now())
	if left >= float64(want) {
		return nil
	}
	return l.refuse((float64(want) - left) * 60 / float64(l.perMinute))
}

// addressKey is the bucket of the requests of an address that are nobody's.
func addressKey(address string) string { return "address " + Network(address) }

// inFlight counts what is going on, by key.
type inFlight struct {
	mu sync.Mutex
	n  map[string]int
}

func newInFlight() *inFlight { return &inFlight{n: map[string]int{}} }

// begin counts one more and says how many there are.
func (f *inFlight) begin(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n[key]++
	return f.n[key]
}

func (f *inFlight) end(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n[key]--; f.n[key] == 0 {
		delete(f.n, key)
	}
}

func (l *limiter) refuse(seconds float64) error {
	return &LimitError{PerMinute: l.perMinute, RetryAfter: time.Duration(seconds * float64(time.Second))}
}

package access

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxGuesses is how many keys that do not count an address may send in a minute.
const maxGuesses = 30

// limiter counts the requests of many in a minute each: a bucket of so many, which fills evenly.
type limiter struct {
	perMinute int
	buckets   *lru.Cache[string, *rate.Limiter]
}

func newLimiter(perMinute int) *limiter {
	buckets, _ := lru.New[string, *rate.Limiter](10_000) // who is pushed out begins anew: it was not busy
	return &limiter{perMinute: perMinute, buckets: buckets}
}

func (l *limiter) bucket(key string) *rate.Limiter {
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

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d requests a minute; ask again in %d s", e.PerMinute, int(math.Ceil(e.RetryAfter.Seconds())))
}

// Allow counts a request and says in its answer's headers what is left: of the identity, or of the address if it is
// nobody's. A LimitError if that is nothing. Without Config.Required nobody is counted.
func (c *Control) Allow(header http.Header, who *Identity, address string) error {
	if !c.cfg.Required || c.limits.perMinute <= 0 {
		return nil
	}
	key := "address " + address
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
	return refuse(header, c.limits.perMinute, (1-left)/perSecond)
}

// Guessed counts a key that does not count, of an address.
func (c *Control) Guessed(address string) {
	if c.guesses.perMinute > 0 {
		c.guesses.bucket(address).AllowN(time.Now(), 1)
	}
}

// MayGuess is a LimitError if an address sent too many keys that do not count.
func (c *Control) MayGuess(header http.Header, address string) error {
	if c.guesses.perMinute <= 0 {
		return nil
	}
	left := c.guesses.bucket(address).TokensAt(time.Now())
	if left >= 1 {
		return nil
	}
	return refuse(header, c.guesses.perMinute, (1-left)*60/float64(c.guesses.perMinute))
}

func refuse(header http.Header, perMinute int, seconds float64) error {
	e := &LimitError{PerMinute: perMinute, RetryAfter: time.Duration(seconds * float64(time.Second))}
	header.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(seconds)))))
	return e
}

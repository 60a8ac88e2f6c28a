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

// limiter limits rates per minute with a token bucket for each name.
type limiter struct {
	perMinute int
	burst     int                                 // the size of a bucket
	buckets   *lru.Cache[[16]byte, *rate.Limiter] // by hash, so that long names take no more memory
	now       func() time.Time

	mu     sync.Mutex
	asking map[string]*asking // the lookups in progress, by bucket
}

// asking counts the lookups of a bucket that are in progress. ended is closed when one of them ends.
type asking struct {
	n     int
	ended chan struct{}
}

func newLimiter(perMinute int, now func() time.Time) *limiter {
	buckets, _ := lru.New[[16]byte, *rate.Limiter](10_000) // an evicted bucket starts full: it was the least used
	return &limiter{
		perMinute: perMinute, burst: perMinute, buckets: buckets, now: now, asking: map[string]*asking{},
	}
}

func (l *limiter) bucket(name string) *rate.Limiter {
	sum := sha256.Sum256([]byte(name))
	key := [16]byte(sum[:])
	if b, ok := l.buckets.Get(key); ok {
		return b
	}
	fresh := rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.burst)
	if b, ok, _ := l.buckets.PeekOrAdd(key, fresh); ok {
		return b
	}
	return fresh
}

// LimitError means that a client sent too many requests.
type LimitError struct {
	PerMinute  int
	RetryAfter time.Duration
}

// Seconds returns RetryAfter in whole seconds, for the Retry-After header.
func (e *LimitError) Seconds() int { return seconds(e.RetryAfter) }

func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d requests a minute; ask again in %d s", e.PerMinute, e.Seconds())
}

// Allow counts a request and sets the RateLimit headers of its answer. It counts by identity, or by address if who is
// nil. It returns a LimitError if nothing is left. Without Config.Required or a rate limit nothing is counted.
func (c *Control) Allow(header http.Header, who *Identity, address string) error {
	if !c.cfg.Required || c.limits.perMinute <= 0 {
		return nil
	}
	key := addressKey(address)
	if who != nil {
		key = who.limitKey()
	}
	return c.limits.count(header, "default", key)
}

// AllowReader counts a request of a reader by its address, and sets the RateLimit headers of its answer. It returns a
// LimitError if nothing is left.
func (c *Control) AllowReader(header http.Header, address string) error {
	if !c.cfg.Required || c.readers.perMinute <= 0 {
		return nil
	}
	return c.readers.count(header, "reader", addressKey(address))
}

// count takes a token of a bucket and reports in header what is left, under the name of the policy.
func (l *limiter) count(header http.Header, policy, key string) error {
	now := l.now()
	bucket := l.bucket(key)
	allowed := bucket.AllowN(now, 1)
	left := max(0, bucket.TokensAt(now))
	perSecond := float64(l.perMinute) / 60
	full := (float64(l.perMinute) - left) / perSecond
	// The form is that of draft-ietf-httpapi-ratelimit-headers.
	header.Set("RateLimit-Policy", fmt.Sprintf(`%q;q=%d;w=60`, policy, l.perMinute))
	header.Set("RateLimit", fmt.Sprintf(`%q;r=%d;t=%d`, policy, int(left), int(math.Ceil(full))))
	if allowed {
		return nil
	}
	return l.refuse(left)
}

// enter begins a lookup that may be counted. A bucket has as many lookups in progress as it has tokens left, so that
// they cannot overrun it together. Further lookups wait for one of them to end. The error is a LimitError if no token
// is left.
func (l *limiter) enter(key string) (end func(), err error) {
	if l.perMinute <= 0 {
		return func() {}, nil
	}
	late := time.NewTimer(storeTimeout)
	defer late.Stop()
	for {
		left := l.bucket(key).TokensAt(l.now())
		if left < 1 {
			return nil, l.refuse(left)
		}
		l.mu.Lock()
		a := l.asking[key]
		if a == nil {
			a = &asking{ended: make(chan struct{})}
			l.asking[key] = a
		}
		if float64(a.n+1) <= left {
			a.n++
			l.mu.Unlock()
			return func() { l.end(key) }, nil
		}
		ended := a.ended
		l.mu.Unlock()
		select {
		case <-ended:
		case <-late.C:
			return nil, l.refuse(left)
		}
	}
}

func (l *limiter) end(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.asking[key]
	close(a.ended)
	if a.n--; a.n == 0 {
		delete(l.asking, key)
		return
	}
	a.ended = make(chan struct{})
}

// addressKey returns the bucket of the unauthenticated requests of an address. It uses the network, because one client
// may have any number of IPv6 addresses in it.
func addressKey(address string) string { return "address " + Network(address) }

// refuse makes the error for a bucket that has this many tokens left, with the time until there is one.
func (l *limiter) refuse(left float64) error {
	wait := max(1, (1-left)*60/float64(l.perMinute))
	return &LimitError{PerMinute: l.perMinute, RetryAfter: time.Duration(wait * float64(time.Second))}
}

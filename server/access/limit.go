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

// limiter counts the requests of many in a minute each: a bucket of so many, which fills evenly.
type limiter struct {
	perMinute int
	burst     int                                 // how many may come at once
	buckets   *lru.Cache[[16]byte, *rate.Limiter] // by a hash, so that long names take no more memory

	mu     sync.Mutex
	asking map[string]*asking // the lookups that may count, by bucket
}

// asking are the lookups of a bucket that are going on. ended is closed when one of them ends.
type asking struct {
	n     int
	ended chan struct{}
}

func newLimiter(perMinute int) *limiter {
	buckets, _ := lru.New[[16]byte, *rate.Limiter](10_000) // who is pushed out begins anew: it was not busy
	return &limiter{perMinute: perMinute, burst: perMinute, buckets: buckets, asking: map[string]*asking{}}
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

// LimitError says that somebody sent too many requests.
type LimitError struct {
	PerMinute  int
	RetryAfter time.Duration
}

// Seconds is RetryAfter as the header of that name has it.
func (e *LimitError) Seconds() int { return seconds(e.RetryAfter) }

func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

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
	return c.limits.refuse(left)
}

// enter lets a lookup begin that may count: as many of a bucket at a time as it has left, so that they cannot overrun
// it together. Others wait for one of them to end; with nothing left it is a LimitError.
func (l *limiter) enter(key string) (end func(), err error) {
	if l.perMinute <= 0 {
		return func() {}, nil
	}
	late := time.NewTimer(storeTimeout)
	defer late.Stop()
	for {
		left := l.bucket(key).TokensAt(time.Now())
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

// addressKey is the bucket of the requests of an address that are nobody's. Whoever has an address of IPv6 has as many
// as they like: their network counts.
func addressKey(address string) string { return "address " + Network(address) }

// refuse makes the error for a bucket that has so much left: it says when there will be one.
func (l *limiter) refuse(left float64) error {
	wait := max(1, (1-left)*60/float64(l.perMinute))
	return &LimitError{PerMinute: l.perMinute, RetryAfter: time.Duration(wait * float64(time.Second))}
}

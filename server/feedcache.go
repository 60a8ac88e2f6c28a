package server

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// feedAddress is the placeholder of the server's address in cached feeds. The real address replaces it when a feed is
// sent, so that requests under many host names do not fill the cache.
const feedAddress = "https://feed-address.invalid"

// maxFeedBytes is the size of the cache in bytes, and maxFeeds in feeds.
const maxFeedBytes, maxFeeds = 16 << 20, 500

// feedKey identifies a feed in one state.
type feedKey struct {
	name, form, lang, q string // name is in lower case
	generation          int64
	updated             int64 // tells the generations of a restored database from the earlier ones
}

// feedCache caches rendered feeds up to a total size. Feeds of past generations are evicted as new ones are added.
type feedCache struct {
	renders singleflight.Group // one rendering for all requests that wait for it

	mu    sync.Mutex
	kept  *lru.Cache[feedKey, *renderedFeed]
	bytes int // the size of kept
}

func newFeedCache() *feedCache {
	c := &feedCache{}
	c.kept, _ = lru.NewWithEvict(maxFeeds, func(_ feedKey, f *renderedFeed) { c.bytes -= f.size() })
	return c
}

// get returns a cached feed, or renders and caches it.
func (c *feedCache) get(key feedKey, render func() (*renderedFeed, error)) (*renderedFeed, error) {
	c.mu.Lock()
	kept, ok := c.kept.Get(key)
	c.mu.Unlock()
	if ok {
		return kept, nil
	}
	got, err, _ := c.renders.Do(fmt.Sprintf("%+v", key), func() (any, error) {
		f, err := render()
		if err == nil {
			c.add(key, f)
		}
		return f, err
	})
	f, _ := got.(*renderedFeed)
	return f, err
}

func (c *feedCache) add(key feedKey, f *renderedFeed) {
	if f.size() > maxFeedBytes/4 {
		return // it would evict all others
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Remove(key)
	c.bytes += f.size()
	c.kept.Add(key, f)
	for c.bytes > maxFeedBytes {
		c.kept.RemoveOldest()
	}
}

// escapedFor returns an address, escaped for a form of feeds.
func escapedFor(form, address string) []byte {
	if form == "json" {
		raw, err := json.Marshal(address)
		if err != nil { // cannot happen with a string
			return nil
		}
		return raw[1 : len(raw)-1]
	}
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(address)) // writes to a buffer do not fail
	return b.Bytes()
}

// size estimates the memory of a cached feed.
func (f *renderedFeed) size() int { return len(f.body) + 1024 }

// at returns the feed for clients that reach the server at an address.
func (f *renderedFeed) at(form, address string) *sentFeed {
	return &sentFeed{
		renderedFeed: f, tag: tagOf([]byte(address + " " + f.digest)),
		address: escapedFor(form, strings.ToValidUTF8(address, "")),
	}
}

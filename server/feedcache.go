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

// feedAddress stands for the server's address in feeds as they are kept. The real one is put in as a feed is sent, so
// that a client that asks under many names does not have the feed kept for each of them.
const feedAddress = "https://feed-address.invalid"

// maxFeedBytes is how much of rendered feeds is kept, and maxFeeds how many.
const maxFeedBytes, maxFeeds = 16 << 20, 500

// feedKey says which feed it is, in which state.
type feedKey struct {
	name, form, lang, q string // the name in small letters
	generation          int64
	updated             int64 // so that a restored database's numbers are not taken for those of before
}

// feedCache holds rendered feeds, of a bounded size together; those of a generation gone by are pushed out by the
// others.
type feedCache struct {
	renders singleflight.Group // one rendering for all who wait for it

	mu    sync.Mutex
	kept  *lru.Cache[feedKey, *renderedFeed]
	bytes int // of what is kept
}

func newFeedCache() *feedCache {
	c := &feedCache{}
	c.kept, _ = lru.NewWithEvict(maxFeeds, func(_ feedKey, f *renderedFeed) { c.bytes -= f.size() })
	return c
}

// get gives a feed that is kept, or renders it.
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
		return // it would push out all others
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

// escapedFor is an address as it stands in a form of feeds.
func escapedFor(form, address string) []byte {
	if form == "json" {
		raw, err := json.Marshal(address)
		if err != nil { // a text
			return nil
		}
		return raw[1 : len(raw)-1]
	}
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(address)) // a buffer takes everything
	return b.Bytes()
}

// size is how much memory a kept feed takes, about.
func (f *renderedFeed) size() int { return len(f.body) + 1024 }

// at is the feed for those who reach the server at an address.
func (f *renderedFeed) at(form, address string) *sentFeed {
	return &sentFeed{
		renderedFeed: f, tag: tagOf([]byte(address + " " + f.digest)),
		address: escapedFor(form, strings.ToValidUTF8(address, "")),
	}
}

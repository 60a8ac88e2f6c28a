package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// TestHTTP2WithoutTLS sends many streams of events and other requests at once over one connection, as a proxy does.
func TestHTTP2WithoutTLS(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	_, key := s.key("r", access.ScopeRead, nil)
	only := new(http.Protocols)
	only.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: only}}
	var mu sync.Mutex
	addresses := map[string]bool{}
	get := func(path, accept string) *http.Response {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			mu.Lock()
			defer mu.Unlock()
			addresses[i.Conn.LocalAddr().String()] = true
		}})
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %d", path, resp.Proto, resp.StatusCode)
		}
		return resp
	}
	var streams []*http.Response
	for range 20 {
		streams = append(streams, get("/events", "text/event-stream"))
	}
	for i := range 10 {
		resp := get(fmt.Sprintf("/runs?limit=%d", i+1), "application/json")
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
	}
	s.start("/assets/echo/materialize", `{}`, "Authorization", "Bearer "+s.operator(t))
	for _, resp := range streams {
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "event: ") {
			continue
		}
		if lines.Err() != nil || !strings.HasPrefix(lines.Text(), "event: ") {
			t.Errorf("a stream ended: %v", lines.Err())
		}
		_ = resp.Body.Close()
	}
	if len(addresses) != 1 {
		t.Errorf("%d connections", len(addresses))
	}
}

func (s *site) operator(t *testing.T) string {
	t.Helper()
	_, key := s.key("o", access.ScopeOperate, nil)
	return key
}

// TestHTTP2Limits reads the limits that the server announces.
func TestHTTP2Limits(t *testing.T) {
	t.Parallel()
	s := setup(t)
	c, err := new(net.Dialer).DialContext(context.Background(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 9)
	if _, err := io.ReadFull(c, head); err != nil || head[3] != 4 {
		t.Fatalf("frame %v, %v: want SETTINGS", head, err)
	}
	payload := make([]byte, int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(c, payload); err != nil {
		t.Fatal(err)
	}
	got := map[uint16]uint32{}
	for ; len(payload) >= 6; payload = payload[6:] {
		got[uint16(payload[0])<<8|uint16(payload[1])] = uint32(payload[2])<<24 | uint32(payload[3])<<16 |
			uint32(payload[4])<<8 | uint32(payload[5])
	}
	// source: RFC 9113, section 6.5.2
	const streams, window, frameSize, headers = 3, 4, 5, 6
	if got[streams] != 100 || got[window] != 32<<10 || got[frameSize] != 16<<10 || got[headers] > 65<<10 {
		t.Errorf("settings %v", got)
	}
}

package upstream

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// maxHead is how much of an answer that is not the one expected is looked at, for what it says of itself.
const maxHead = 64 << 10

var titles = regexp.MustCompile(`(?is)<title(?:\s[^>]*)?>(.{0,1000}?)</title\s*>`)

// got says what came instead of the answer that was expected: its type, the title of a page, and where a redirect led.
// Whoever must find out why needs no other tool then.
func got(resp *http.Response, head []byte) string {
	var parts []string
	if media := strings.TrimSpace(resp.Header.Get("Content-Type")); media != "" {
		parts = append(parts, Cut(media, 80))
	} else {
		parts = append(parts, "no content type")
	}
	if m := titles.FindSubmatch(head); m != nil {
		title := html.UnescapeString(string(bytes.ToValidUTF8(m[1], []byte("\uFFFD"))))
		if title = strings.Join(strings.Fields(Cut(title, 120)), " "); title != "" {
			parts = append(parts, fmt.Sprintf("titled %q", title))
		}
	}
	if to := redirected(resp); to != "" {
		parts = append(parts, "from where a redirect led, "+to)
	}
	return strings.Join(parts, ", ")
}

// redirected is the address that an answer came from, if a redirect led there; else empty.
func redirected(resp *http.Response) string {
	if resp.Request == nil || resp.Request.Response == nil {
		return ""
	}
	return Words(PublicURL(resp.Request.URL.String()))
}

// headOf reads the beginning of an answer that is not used, unpacked. It reads on to the end of a short one, so that
// the connection can be used again.
func headOf(resp *http.Response) []byte {
	body, err := unpacked(resp, io.LimitReader(resp.Body, maxHead))
	if err != nil {
		return nil
	}
	head, _ := io.ReadAll(io.LimitReader(body, maxHead)) // what could be read is enough
	return head
}

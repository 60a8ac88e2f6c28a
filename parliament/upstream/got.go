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

// maxHead is how many bytes of an unexpected answer are read to describe it.
const maxHead = 64 << 10

var titles = regexp.MustCompile(`(?is)<title(?:\s[^>]*)?>(.{0,1000}?)</title\s*>`)

// got describes an unexpected answer: its media type, the title of a page, and the target of a redirect.
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

// redirected returns the address that an answer came from if there was a redirect; else "".
func redirected(resp *http.Response) string {
	if resp.Request == nil || resp.Request.Response == nil {
		return ""
	}
	return Words(PublicURL(resp.Request.URL.String()))
}

// headOf reads and decompresses the beginning of an answer that is not used. It reads a short answer to its end, so
// that the connection can be reused.
func headOf(resp *http.Response) []byte {
	body, err := unpacked(resp, io.LimitReader(resp.Body, maxHead))
	if err != nil {
		return nil
	}
	head, _ := io.ReadAll(io.LimitReader(body, maxHead)) // what could be read is enough
	return head
}

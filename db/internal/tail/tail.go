// Package tail keeps the end of the output of other programs, for error messages.
package tail

import (
	"slices"
	"strings"
	"sync"
)

// Tail is a writer that keeps the end of what is written to it: 4 kB at least, 8 kB at most.
type Tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write implements io.Writer. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 8192 {
		t.buf = slices.Clone(t.buf[len(t.buf)-4096:])
	}
	return len(p), nil
}

// LastLine is the last line that was written and is not empty.
func (t *Tail) LastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return LastLine(t.buf)
}

// LastLine is the last line of a text that is not empty.
func LastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

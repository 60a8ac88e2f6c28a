package server

import (
	"bytes"
	"net"
	"testing"
)

// frame makes a frame of HTTP/2.
func frame(kind, flags byte, length int) []byte {
	head := []byte{byte(length >> 16), byte(length >> 8), byte(length), kind, flags, 0, 0, 0, 1}
	return append(head, bytes.Repeat([]byte("\n"), length)...)
}

// script is a connection that receives pieces.
type script struct {
	from
	pieces [][]byte
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, net.ErrClosed
	}
	n := copy(b, s.pieces[0])
	s.pieces = s.pieces[1:]
	return n, nil
}

// TestHeaderBlocksAreBounded sends complete and incomplete header blocks over HTTP/2, in pieces of every size.
func TestHeaderBlocksAreBounded(t *testing.T) {
	t.Parallel()
	whole := slicesOf(
		[]byte(http2Preface), frame(0x4, 0, 12), frame(frameHeaders, 0, 100), frame(frameContinues, flagEndHeaders, 50),
		frame(0x0, 1, 5000), frame(frameHeaders, flagEndHeaders, 3000),
	)
	for _, size := range []int{1, 2, 7, 100, 1 << 16} {
		all := newConnections(10, 10)
		c, source := scripted(all, whole, size)
		drain(c)
		if source.closed || all.heading.Load() != 0 || !c.http2.Load() {
			t.Errorf("in pieces of %d: closed %v, %d bytes are left", size, source.closed, all.heading.Load())
		}
		c, source = scripted(all, append(bytes.Clone(whole), frame(frameHeaders, 0, 200)...), size)
		drain(c)
		if source.closed || all.heading.Load() != 200*headerFactor {
			t.Errorf("incomplete, in pieces of %d: closed %v, %d bytes", size, source.closed, all.heading.Load())
		}
		if _ = c.Close(); all.heading.Load() != 0 {
			t.Errorf("%d bytes are left of a closed connection", all.heading.Load())
		}
		all.heading.Store(maxHeading) // of others
		c, source = scripted(all, append(bytes.Clone(whole), frame(frameHeaders, 0, 4000)...), size)
		if drain(c); !source.closed {
			t.Errorf("in pieces of %d: a long block goes on beside too many others", size)
		}
	}
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// scripted is a connection that receives data in pieces of a size.
func scripted(all *connections, data []byte, size int) (*connection, *script) {
	s := &script{from: from{address: "192.0.2.1"}}
	for len(data) > 0 {
		n := min(size, len(data))
		s.pieces, data = append(s.pieces, data[:n]), data[n:]
	}
	return all.add(s), s
}

func drain(c *connection) {
	b := make([]byte, 1<<17)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

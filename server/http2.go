package server

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// The limits of HTTP/2. A browser sends all requests of all its tabs over one connection, and a proxy those of many
// clients, so a request has its own deadlines; see stream.
const (
	// maxStreams is how many requests of a connection may be in progress. The standard advises at least 100.
	maxStreams = 100
	// receiveBuffer is the number of bytes of bodies that a connection may have in memory, and streamBuffer one request.
	receiveBuffer, streamBuffer = 64 << 10, 32 << 10
	// http2Preface is what a client sends first to speak HTTP/2.
	// source: RFC 9113, section 3.4
	http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// headerFactor is how much more memory a header block may take once it is decompressed.
	headerFactor = 16
)

// protocols returns the protocols of the server: HTTP/1.1, and HTTP/2 without TLS for proxies that know that the server
// speaks it.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// http2Limits returns the limits that net/http enforces.
func http2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: maxStreams, MaxReadFrameSize: 16 << 10, MaxDecoderHeaderTableSize: 4 << 10,
		MaxEncoderHeaderTableSize: 4 << 10, MaxReceiveBufferPerConnection: receiveBuffer,
		MaxReceiveBufferPerStream: streamBuffer, SendPingTimeout: time.Minute, PingTimeout: 15 * time.Second,
		WriteByteTimeout: writeTimeout,
	}
}

// stream is the response to a request over HTTP/2. Like connection.Write, it gives each part a deadline of its own. The
// deadlines are those of the request: others on the same connection go on.
type stream struct {
	http.ResponseWriter
	control    *http.ResponseController
	connection *connection
	until      atomic.Int64 // deadline of the answer in Unix nanoseconds; 0: none
}

type streamKey struct{}

// bindStreams makes a stream for each request over HTTP/2.
func bindStreams(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			next.ServeHTTP(w, r)
			return
		}
		s := &stream{
			ResponseWriter: w, control: http.NewResponseController(w), connection: connectionOf(r.Context()),
		}
		next.ServeHTTP(s, r.WithContext(context.WithValue(r.Context(), streamKey{}, s)))
	})
}

// Write implements http.ResponseWriter.
func (s *stream) Write(b []byte) (written int, err error) {
	for {
		part := b[:min(len(b), writePart)]
		s.extend()
		n, err := s.ResponseWriter.Write(part)
		if written += n; err != nil {
			return written, err
		}
		if b = b[n:]; len(b) == 0 {
			return written, nil
		}
	}
}

// Flush implements http.Flusher, which the compression needs.
func (s *stream) Flush() { _ = s.FlushError() }

// FlushError flushes what was written. http.ResponseController calls it.
func (s *stream) FlushError() error {
	s.extend()
	return s.control.Flush()
}

// Unwrap lets http.ResponseController set deadlines.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// extend sets the deadline of the next part.
func (s *stream) extend() {
	limit := strangerTimeout
	if s.connection != nil && s.connection.known.Load() {
		limit = writeTimeout
	}
	deadline := time.Now().Add(limit)
	if until := s.until.Load(); until != 0 && until < deadline.UnixNano() {
		deadline = time.Unix(0, until)
	}
	_ = s.control.SetWriteDeadline(deadline) // streams have deadlines
}

// answerLimit is what the deadline of an answer is set on: the connection, or the stream over HTTP/2.
type answerLimit struct{ until *atomic.Int64 }

// limitOfAnswer returns that of a request. It has no effect in tests that call handlers directly.
func limitOfAnswer(ctx context.Context) answerLimit {
	if s, ok := ctx.Value(streamKey{}).(*stream); ok {
		return answerLimit{&s.until}
	}
	if c := connectionOf(ctx); c != nil {
		return answerLimit{&c.until}
	}
	return answerLimit{}
}

// within sets the deadline of the answer.
func (a answerLimit) within(d time.Duration) {
	if a.until != nil {
		a.until.Store(time.Now().Add(d).UnixNano())
	}
}

// unbounded lifts the deadline of the answer.
func (a answerLimit) unbounded() {
	if a.until != nil {
		a.until.Store(0)
	}
}

// The parts of HTTP/2's frames that matter here.
// source: RFC 9113, sections 4.1 and 6
const (
	frameHead                         = 9
	frameHeaders, frameContinues      = 0x1, 0x9
	flagEndHeaders               byte = 0x4
)

// frames counts the bytes of incomplete header blocks on a connection that speaks HTTP/2. Other bytes are frames that
// net/http bounds. It is used by the goroutine that reads the connection.
type frames struct {
	head   [frameHead]byte
	got    int  // bytes of head
	left   int  // bytes of the frame's payload
	header bool // the frame is part of a header block
	ends   bool // it is the last part
}

// read follows the frames in b. It returns how many bytes of a header block were added, and whether a block ended after
// them.
func (f *frames) read(b []byte) (added int, ended bool) {
	for len(b) > 0 {
		if f.left == 0 && f.got < frameHead {
			n := copy(f.head[f.got:], b)
			f.got, b = f.got+n, b[n:]
			if f.got < frameHead {
				break
			}
			f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
			f.header = f.head[3] == frameHeaders || f.head[3] == frameContinues
			f.ends = f.header && f.head[4]&flagEndHeaders != 0
		}
		n := min(f.left, len(b))
		f.left, b = f.left-n, b[n:]
		if f.header {
			added += n
		}
		if f.left == 0 {
			if f.got = 0; f.ends {
				added, ended = 0, true
			}
			f.header, f.ends = false, false
		}
	}
	return added, ended
}

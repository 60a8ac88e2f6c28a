package server

import (
	"bytes"
	"net/http"
)

// heldWriter holds back the body of a response that is changed once it is complete.
type heldWriter struct {
	http.ResponseWriter
	// hold is called once, before the header is sent, and may change it. It reports whether to hold back the body.
	hold  func(status int) bool
	began bool
	held  *bytes.Buffer // nil: the body is not held back
}

// WriteHeader implements http.ResponseWriter.
func (w *heldWriter) WriteHeader(status int) {
	if w.began {
		return
	}
	w.began = true
	if w.hold(status) {
		w.held = &bytes.Buffer{}
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *heldWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.held != nil {
		return w.held.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// FlushError flushes what is not held back. http.ResponseController calls it.
func (w *heldWriter) FlushError() error {
	if w.held != nil {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController set deadlines.
func (w *heldWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// send sends a body instead of the one that was held back.
func (w *heldWriter) send(body []byte) error {
	w.held = nil
	w.ResponseWriter.WriteHeader(http.StatusOK)
	_, err := w.ResponseWriter.Write(body)
	return err
}

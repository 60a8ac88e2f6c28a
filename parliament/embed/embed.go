// Package embed requests embeddings of texts from an OpenAI-compatible endpoint. Begin reading at New and Client.Embed.
package embed

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// Config configures a Client.
type Config struct {
	// URL is the endpoint's base address, e.g. https://api.openai.com/v1. "/embeddings" is appended unless it is there.
	URL string
	// Model is the name of the model.
	Model string
	// APIKey is sent as a bearer token; empty: none.
	APIKey string
	// Timeout is the time limit of one request; default 30 s.
	Timeout time.Duration
	// RetryDelay is the delay before the first retry; default 500 ms. It doubles with each retry.
	RetryDelay time.Duration
}

// Client requests embeddings. Make one with New. It is safe for concurrent use.
type Client struct {
	cfg     Config
	address string
	http    *http.Client
	exec    failsafe.Executor[*Result]
}

// Result has the embeddings of some texts, each of length one, and the number of tokens used.
type Result struct {
	Embeddings [][]float32
	Tokens     int // as the endpoint counts; 0 if it does not
}

const (
	// maxBody is the maximum length of an answer, and bodyOfText the part of it that one text may use: 16,000 numbers.
	maxBody    = 64 << 20
	bodyOfText = 512 << 10
	// maxValues is the maximum count of numbers in an answer: 1,000 texts of 4,000 numbers each.
	maxValues = 4 << 20
	// maxSize is the maximum count of numbers in an embedding, and bytesOfNumber the maximum length of a number with the
	// white space before it.
	maxSize       = 16_000
	bytesOfNumber = 32
)

// Most returns how many texts may be sent at once so that the answer stays within the limits. size is the count of
// numbers in an embedding, or 0 if unknown.
func Most(size int) int {
	if size <= 0 || size > maxSize {
		size = maxSize
	}
	size += 8 // what stands beside the numbers
	return min(maxBody/(size*bytesOfNumber), maxValues/size)
}

// New makes a client. The error names what is wrong with the configuration.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil: // whose text repeats the address, which may have a password
		return nil, errors.New("EMBEDDINGS_URL: want an http or https address")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("EMBEDDINGS_URL %q: want an http or https address", upstream.PublicURL(cfg.URL))
	}
	if cfg.Model == "" {
		return nil, errors.New("EMBEDDINGS_MODEL: is required with EMBEDDINGS_URL")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.RetryDelay <= 0 {
		cfg.RetryDelay = 500 * time.Millisecond
	}
	if u.Path = strings.TrimSuffix(u.Path, "/"); !strings.HasSuffix(u.Path, "/embeddings") { // a query stays behind it
		u.Path, u.RawPath = u.Path+"/embeddings", ""
	}
	address := u.String()
	retry := retrypolicy.NewBuilder[*Result]().HandleIf(func(_ *Result, err error) bool { return transient(err) }).
		WithMaxRetries(4).WithBackoff(cfg.RetryDelay, 16*cfg.RetryDelay).WithJitterFactor(.2).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[*Result]) time.Duration {
			var s *StatusError
			if errors.As(exec.LastError(), &s) && s.RetryAfter > 0 {
				return min(s.RetryAfter, 20*time.Second)
			}
			return -1
		}).Build()
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 1 << 20,
	}
	// Redirects are not followed: texts and the key must not go to another address than the configured one.
	asker := &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{cfg: cfg, address: address, http: asker, exec: failsafe.With(retry)}, nil
}

// Model returns the name of the model.
func (c *Client) Model() string { return c.cfg.Model }

// StatusError is an answer with a status other than 200.
type StatusError struct {
	Status     int
	Says       string // the endpoint's own words, cut short
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf(
		"the embeddings endpoint answered %d %s: %s", e.Status, http.StatusText(e.Status), e.Says,
	))
}

// AnswerError is an answer that cannot be used.
type AnswerError struct{ Reason string }

func (e *AnswerError) Error() string {
	return "the embeddings endpoint's answer cannot be used: " + e.Reason
}

type networkError struct{ error }

func (e *networkError) Unwrap() error { return e.error }

func transient(err error) bool {
	var s *StatusError
	var network *networkError
	return errors.As(err, &s) && (s.Status == http.StatusTooManyRequests || s.Status >= 500) || errors.As(err, &network) &&
		!errors.Is(err, context.Canceled)
}

// Embed returns the embeddings of texts, in their order. Transient errors are retried, up to five attempts.
func (c *Client) Embed(ctx context.Context, texts []string) (*Result, error) {
	r, err := c.exec.WithContext(ctx).GetWithExecution(func(exec failsafe.Execution[*Result]) (*Result, error) {
		r, err := c.Once(exec.Context(), texts)
		// left by whoever asked: the endpoint has not failed, and is not tried again
		if err != nil && exec.Context().Err() != nil {
			return nil, context.Canceled
		}
		return r, err
	})
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return r, err
}

// Once is like Embed, but with a single attempt.
func (c *Client) Once(ctx context.Context, texts []string) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"model": c.cfg.Model, "input": texts, "encoding_format": "float"})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ParliamentExplorer") // as webhooks have; USER_AGENT is for the sources alone
	if c.cfg.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.APIKey)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &networkError{fmt.Errorf("the embeddings endpoint does not answer: %w", unwrapURL(err))}
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	limit := min(maxBody, bodyOfText*(len(texts)+1))
	raw, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, &networkError{fmt.Errorf("the embeddings endpoint's answer was cut off: %w", err)}
	}
	if resp.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, &StatusError{
			Status: resp.StatusCode, Says: c.words(raw), RetryAfter: time.Duration(max(0, seconds)) * time.Second,
		}
	}
	return read(raw, len(texts))
}

// words returns the endpoint's own message, limited in length, without the API key that it may repeat.
func (c *Client) words(raw []byte) string {
	s := strings.ToValidUTF8(string(raw[:min(2000, len(raw))]), "")
	if c.cfg.APIKey != "" {
		s = strings.ReplaceAll(s, c.cfg.APIKey, "...")
	}
	return strings.TrimSpace(upstream.Cut(s, 200))
}

// unwrapURL removes the address from an error. It may contain a secret.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// read parses an answer, which must have one embedding for each of n texts, all of one size.
func read(raw []byte, n int) (*Result, error) {
	var a struct {
		Data  entries `json:"data"`
		Usage struct {
			Prompt int `json:"prompt_tokens"`
			Total  int `json:"total_tokens"`
		} `json:"usage"`
	}
	a.Data.most = n
	if limit := min(maxBody, bodyOfText*(n+1)); len(raw) > limit {
		return nil, &AnswerError{fmt.Sprintf("it is longer than %d bytes", limit)}
	}
	if bytes.Count(raw, []byte(",")) > maxValues { // before room is made for them
		return nil, &AnswerError{fmt.Sprintf("it has more than %d values", maxValues)}
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		var answer *AnswerError
		if errors.As(err, &answer) {
			return nil, answer
		}
		// which repeats a number, however long
		return nil, &AnswerError{"it is not the JSON expected: " + upstream.Words(err.Error())}
	}
	data := a.Data.list
	if len(data) != n {
		return nil, &AnswerError{fmt.Sprintf("%d embeddings for %d texts", len(data), n)}
	}
	out := &Result{Embeddings: make([][]float32, n), Tokens: max(a.Usage.Total, a.Usage.Prompt, 0)}
	for place, d := range data {
		if d.Index != nil {
			place = *d.Index
		}
		if place < 0 || place >= n || out.Embeddings[place] != nil {
			return nil, &AnswerError{fmt.Sprintf("its indexes are not those of %d texts", n)}
		}
		if len(d.Embedding) == 0 || len(d.Embedding) > maxSize || len(d.Embedding) != len(data[0].Embedding) {
			return nil, &AnswerError{
				fmt.Sprintf("an embedding of %d numbers beside one of %d", len(d.Embedding), len(data[0].Embedding)),
			}
		}
		if !normalise(d.Embedding) {
			return nil, &AnswerError{"an embedding has no direction"}
		}
		out.Embeddings[place] = d.Embedding
	}
	return out, nil
}

// entries are the embeddings of an answer. Decoding fails if there are more than most, before memory is allocated for
// them.
type entries struct {
	list []entry
	most int
}

type entry struct {
	Index     *int      `json:"index"`
	Embedding []float32 `json:"embedding"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *entries) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return cmp.Or[error](err, errors.New("data is not a list"))
	}
	e.list = nil // the last one counts, should there be several
	for d.More() {
		if len(e.list) == e.most {
			return &AnswerError{fmt.Sprintf("more than %d embeddings for %d texts", e.most, e.most)}
		}
		var one entry
		if err := d.Decode(&one); err != nil {
			return err
		}
		e.list = append(e.list, one)
	}
	return nil
}

// normalise scales a vector to length one; false if its length is zero or not finite.
func normalise(v []float32) bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	length := math.Sqrt(sum)
	if length == 0 || math.IsNaN(length) || math.IsInf(length, 0) {
		return false
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / length)
	}
	return true
}

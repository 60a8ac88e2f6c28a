// Package notify sends messages to channels: signed webhooks, Slack and compatible services, and e-mail. It refuses to
// send to internal addresses; see Guard. Begin reading at Parse and Channel.Send.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	gomail "github.com/wneessen/go-mail"
)

// Message is what is sent.
type Message struct {
	// ID stays the same when a message is sent again, so that a receiver recognizes repeats.
	ID string
	// Type is "alert.firing", "alert.recovered" or "alert.test".
	Type string
	At   time.Time
	// Title is one line; Detail may be several.
	Title, Detail string
	// Data is the message for programs.
	Data map[string]any
}

// Channel is where messages go.
type Channel struct {
	// Name is its name in the configuration.
	Name string
	// Kind is "webhook", "slack" or "email".
	Kind string
	// Target is its address without secrets.
	Target string

	send func(context.Context, Message) (string, error)
}

// Send sends a message and returns a summary of the receiver's answer. It returns when ctx ends. Its errors contain no
// secrets.
func (c *Channel) Send(ctx context.Context, m Message) (string, error) { return c.send(ctx, m) }

var channelName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// Parse reads a channel's declaration, NAME=URL:
//
//	ops=https://hooks.example.org/explorer#whsec_...           a webhook, signed by the secret behind #
//	team=slack+https://hooks.slack.com/services/...            Slack's format
//	mail=smtps://user:password@mail.example.org?from=explorer@example.org&to=ops@example.org
//
// smtp uses STARTTLS if the server offers it; tls=require requires it, and tls=none never uses it.
func Parse(spec string, guard *Guard) (*Channel, error) {
	name, address, ok := strings.Cut(spec, "=")
	if !ok || !channelName.MatchString(name) {
		return nil, errors.New("want NAME=URL, where a name has lower-case letters, digits, underscores and hyphens")
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf(
			"channel %q: its address cannot be read: want https://, slack+https://, smtp:// or smtps://", name,
		)
	}
	c := &Channel{Name: name, Target: u.Scheme + "://" + u.Host}
	switch u.Scheme {
	case "http", "https":
		c.Kind = "webhook"
		c.send, err = webhook(u, guard)
	case "slack+http", "slack+https":
		c.Kind = "slack"
		u.Scheme = strings.TrimPrefix(u.Scheme, "slack+")
		c.Target = u.Scheme + "://" + u.Host
		c.send = slack(u, guard)
	case "smtp", "smtps":
		c.Kind = "email"
		c.Target = strings.Join(u.Query()["to"], ", ")
		c.send, err = email(u, guard)
	default:
		err = fmt.Errorf("scheme %q: want https, slack+https, smtp or smtps", u.Scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("channel %q: %w", name, err)
	}
	return c, nil
}

// NewWebhook checks a secret of Standard Webhooks: whsec_ and at least 24 bytes in base64.
func NewWebhook(secret string) (*standardwebhooks.Webhook, error) {
	const want = "want whsec_ and 24 to 64 random bytes in base64"
	rest, ok := strings.CutPrefix(secret, "whsec_")
	if !ok || len(rest) < 32 || len(rest) > 88 {
		return nil, errors.New("the secret cannot be used: " + want)
	}
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, errors.New("the secret cannot be used: " + want) // the library's error repeats part of the secret
	}
	return w, nil
}

func webhook(u *url.URL, guard *Guard) (func(context.Context, Message) (string, error), error) {
	signer, err := NewWebhook(u.Fragment)
	if err != nil {
		return nil, fmt.Errorf("%w, behind # in the address", err)
	}
	target := *u
	target.Fragment = ""
	client := guard.client()
	return func(ctx context.Context, m Message) (string, error) {
		body, err := json.Marshal(
			map[string]any{"type": m.Type, "timestamp": m.At.UTC().Format(time.RFC3339Nano), "data": m.Data},
		)
		if err != nil {
			return "", err
		}
		at := time.Now()
		signature, err := signer.Sign(m.ID, at, body)
		if err != nil {
			return "", errors.New("the message could not be signed")
		}
		return post(ctx, client, target.String(), body, map[string]string{
			standardwebhooks.HeaderWebhookID: m.ID, standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10),
			standardwebhooks.HeaderWebhookSignature: signature,
		})
	}, nil
}

// slackEscape escapes Slack's markup.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func slack(u *url.URL, guard *Guard) func(context.Context, Message) (string, error) {
	client := guard.client()
	return func(ctx context.Context, m Message) (string, error) {
		text := "*" + slackEscape.Replace(m.Title) + "*"
		if m.Detail != "" {
			text += "\n" + slackEscape.Replace(m.Detail)
		}
		body, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			return "", err
		}
		return post(ctx, client, u.String(), body, nil)
	}
}

// post sends JSON. An answer other than 2xx is an error.
func post(
	ctx context.Context,
	client *http.Client,
	address string,
	body []byte,
	headers map[string]string,
) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return "", errors.New("its address cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ParliamentExplorer")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // its text contains the address, which may be secret
			err = wrapped.Err
		}
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	// Not resp.Status: the receiver chooses its text, of any length.
	status := strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return "", &redirectError{status}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return "", fmt.Errorf("the receiver answered %s", status)
	}
	return status, nil
}

// redirectError is a redirect to another address. Messages are not sent there, so it is an ErrRefused.
type redirectError struct{ status string }

func (e *redirectError) Error() string {
	return "the receiver answered " + e.status + ": redirects are not followed"
}

func (e *redirectError) Is(target error) bool { return target == ErrRefused }

// email returns a function that sends messages by the mail server of an address.
func email(u *url.URL, guard *Guard) (func(context.Context, Message) (string, error), error) {
	query := u.Query()
	from, to := query.Get("from"), query["to"]
	if _, err := mail.ParseAddress(from); err != nil {
		return nil, fmt.Errorf("from %q: want an e-mail address", from)
	}
	if len(to) == 0 {
		return nil, errors.New("to: want at least one e-mail address")
	}
	for _, address := range to {
		if _, err := mail.ParseAddress(address); err != nil {
			return nil, fmt.Errorf("to %q: want an e-mail address", address)
		}
	}
	options, err := mailOptions(u, guard)
	if err != nil {
		return nil, err
	}
	if _, err := gomail.NewClient(u.Hostname(), options...); err != nil {
		return nil, err
	}
	return func(ctx context.Context, m Message) (string, error) {
		client, err := gomail.NewClient(u.Hostname(), options...)
		if err != nil {
			return "", err
		}
		msg := gomail.NewMsg()
		if err := errors.Join(msg.From(from), msg.To(to...)); err != nil {
			return "", err
		}
		msg.Subject(m.Title)
		msg.SetDateWithValue(m.At)
		msg.SetMessageIDWithValue(m.ID + "@parliament-explorer")
		msg.SetBodyString(gomail.TypeTextPlain, m.Detail+"\n")
		if err := client.DialAndSendWithContext(ctx, msg); err != nil {
			return "", err
		}
		return "accepted by " + u.Hostname(), nil
	}, nil
}

// mailOptions returns how to reach the mail server of an address.
func mailOptions(u *url.URL, guard *Guard) ([]gomail.Option, error) {
	options := []gomail.Option{
		gomail.WithTimeout(10 * time.Second),
		gomail.WithDialContextFunc(guard.dialer().DialContext),
		gomail.WithoutNoop(),
	}
	switch tls := u.Query().Get("tls"); {
	case u.Scheme == "smtps":
		options = append(options, gomail.WithSSL(), gomail.WithPort(465))
	case tls == "" || tls == "opportunistic":
		options = append(options, gomail.WithTLSPortPolicy(gomail.TLSOpportunistic))
	case tls == "require":
		options = append(options, gomail.WithTLSPortPolicy(gomail.TLSMandatory))
	case tls == "none":
		options = append(options, gomail.WithTLSPortPolicy(gomail.NoTLS))
	default:
		return nil, fmt.Errorf("tls %q: want require, opportunistic or none", tls)
	}
	if p := u.Port(); p != "" {
		port, err := strconv.Atoi(p)
		if err != nil {
			return nil, fmt.Errorf("port %q: want a number", p)
		}
		options = append(options, gomail.WithPort(port))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		options = append(
			options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.User.Username()),
			gomail.WithPassword(password),
		)
	}
	return options, nil
}

// ParsePrefixes reads networks in CIDR notation, for Guard.
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("%q is not a network: want CIDR notation such as 10.0.0.0/8 or ::1/128", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

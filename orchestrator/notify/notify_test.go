package notify_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"

var message = notify.Message{
	ID:     "m1",
	Type:   "alert.firing",
	At:     time.Now(),
	Title:  "It <broke> & more",
	Detail: "line one\nline two",
	Data:   map[string]any{"n": 1},
}

func parse(t testing.TB, spec string, guard *notify.Guard) *notify.Channel {
	t.Helper()
	c, err := notify.Parse(spec, guard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Nothing that is not public is connected to, however its address is written, resolved or redirected to.
func TestGuardRefuses(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }),
	)
	defer inside.Close()
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	for _, host := range []string{
		"127.0.0.1", "[::1]", "localhost", "127.1.2.3", "2130706433", "0x7f000001", "0177.0.0.1", "127.1",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]",
		"169.254.169.254", "[fe80::1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "[fd00::1]", "[64:ff9b::7f00:1]",
		"100.64.0.1", "224.0.0.1",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := parse(t, "c=http://"+host+":"+port+"/#"+secret, notify.NewGuard()).Send(ctx, message)
			var dns *net.DNSError
			if !errors.Is(err, notify.ErrRefused) && !errors.As(err, &dns) { // forms that are no address are no name either
				t.Errorf("err = %v, want ErrRefused", err)
			}
		})
	}
}

func TestGuardFollowsNoRedirectInside(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }),
	)
	defer inside.Close()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(inside.URL, "127.0.0.1", "127.0.0.2", 1), http.StatusTemporaryRedirect)
	}))
	defer outside.Close()
	guard := notify.NewGuard(netip.MustParsePrefix("127.0.0.1/32")) // outside, as far as this test goes
	_, err := parse(t, "c="+outside.URL+"#"+secret, guard).Send(t.Context(), message)
	if !errors.Is(err, notify.ErrRefused) {
		t.Errorf("err = %v, want ErrRefused", err)
	}
}

var here = notify.NewGuard(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))

func TestWebhook(t *testing.T) {
	t.Parallel()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	answer := http.StatusOK
	var got map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := verifier.Verify(body, r.Header); err != nil || r.Header.Get("webhook-id") != "m1" {
			t.Errorf("verify: %v", err)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(answer)
	}))
	defer s.Close()
	c := parse(t, "ops="+s.URL+"/private/path#"+secret, here)
	if c.Kind != "webhook" || strings.Contains(c.Target, "private") || strings.Contains(c.Target, "whsec") {
		t.Errorf("channel = %+v", c)
	}
	if said, err := c.Send(t.Context(), message); err != nil || said != "200 OK" || got["type"] != "alert.firing" ||
		got["data"].(map[string]any)["n"] != 1.0 {
		t.Errorf("%q, %v, %v", said, err, got)
	}
	answer = http.StatusGone
	if _, err := c.Send(t.Context(), message); err == nil || err.Error() != "the receiver answered 410 Gone" {
		t.Errorf("err = %v", err)
	}
	s.Close()
	if _, err := c.Send(t.Context(), message); err == nil || strings.Contains(err.Error(), "private") {
		t.Errorf("err = %v, and the path may be a secret", err)
	}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	var got map[string]string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer s.Close()
	if _, err := parse(t, "team=slack+"+s.URL+"/services/T0/B0/x", here).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if got["text"] != "*It &lt;broke&gt; &amp; more*\nline one\nline two" {
		t.Errorf("text = %q", got["text"])
	}
}

// mailServer takes one message, as SMTP has it.
func mailServer(t testing.TB) (addr string, mail <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "220 here\r\n")
		var all strings.Builder
		data := false
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			line := lines.Text()
			all.WriteString(line + "\n")
			switch {
			case data && line == ".":
				data = false
				fmt.Fprint(conn, "250 taken\r\n")
			case data:
			case strings.HasPrefix(line, "EHLO"):
				fmt.Fprint(conn, "250-here\r\n250 8BITMIME\r\n")
			case line == "DATA":
				data = true
				fmt.Fprint(conn, "354 go on\r\n")
			case line == "QUIT":
				fmt.Fprint(conn, "221 bye\r\n")
				got <- all.String()
				return
			default:
				fmt.Fprint(conn, "250 ok\r\n")
			}
		}
	}()
	return l.Addr().String(), got
}

func TestEmail(t *testing.T) {
	t.Parallel()
	addr, got := mailServer(t)
	c := parse(t, "mail=smtp://"+addr+"?tls=none&from=explorer@example.org&to=a@example.org&to=b@example.org", here)
	if c.Target != "a@example.org, b@example.org" || c.Kind != "email" {
		t.Errorf("channel = %+v", c)
	}
	if _, err := c.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	mail := <-got
	for _, want := range []string{
		"MAIL FROM:<explorer@example.org>", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>",
		"Subject: It <broke> & more", "line one\nline two", "Message-ID: <m1@parliament-explorer>",
	} {
		if !strings.Contains(mail, want) {
			t.Errorf("%q is not in:\n%s", want, mail)
		}
	}
	other, _ := mailServer(t)
	if _, err := parse(t, "mail=smtp://"+other+"?tls=none&from=a@example.org&to=b@example.org", notify.NewGuard()).
		Send(t.Context(), message); err == nil ||
		!strings.Contains(err.Error(), "refused") {
		t.Errorf("a mail server inside: %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"https://x.example.org":                     "want NAME=URL",
		"Ops=https://x.example.org":                 "want NAME=URL",
		"ops=https://x.example.org/s3cret":          `channel "ops": the secret cannot be used`,
		"ops=https://x.example.org/#whsec_c2hvcnQ=": "the secret cannot be used",
		"ops=ftp://x.example.org":                   `scheme "ftp"`,
		"ops=https://":                              "its address cannot be read",
		"ops=%zz":                                   "its address cannot be read",
		"m=smtp://h?to=a@b.c":                       `from ""`,
		"m=smtp://h?from=a@b.c":                     "to: want at least one",
		"m=smtp://h?from=a@b.c&to=x":                `to "x"`,
		"m=smtp://h?from=a@b.c&to=a@b.c&tls=maybe":  `tls "maybe"`,
		"m=smtp://u:s3cret@h?from=a@b.c&to=bad":     `to "bad"`,
	} {
		_, err := notify.Parse(spec, here)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q and no secret", spec, err, want)
		}
	}
	for _, bad := range []string{"10.0.0.1", "x", "10.0.0.0/33"} {
		if _, err := notify.ParsePrefixes([]string{bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("network %s: %v", bad, err)
		}
	}
}

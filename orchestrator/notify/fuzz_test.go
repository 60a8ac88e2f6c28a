package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

// FuzzWebhookHeaders feeds anything to what verifies incoming webhooks: it believes only what carries the signature
// that this test makes by itself, of a time that is now.
func FuzzWebhookHeaders(f *testing.F) {
	key := []byte("0123456789abcdef0123456789abcdef")
	verifier, err := notify.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(key))
	if err != nil {
		f.Fatal(err)
	}
	sign := func(id, timestamp string, body []byte) string {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	now := fmt.Sprint(time.Now().Unix())
	f.Add("msg_1", now, sign("msg_1", now, []byte("{}")), []byte("{}"))
	f.Add("msg_1", "1", sign("msg_1", "1", []byte("{}")), []byte("{}"))
	f.Add("", "", "", []byte(nil))
	f.Add("a.b", now+".", "v1, v1a,x v1,===", []byte("\x00"))
	f.Add("a", "-9223372036854775808", "v1,"+strings.Repeat("A", 5000), []byte("[]"))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		header := http.Header{}
		header.Set("webhook-id", id)
		header.Set("webhook-timestamp", timestamp)
		header.Set("webhook-signature", signature)
		if verifier.Verify(body, header) == nil {
			var at int64
			if _, err := fmt.Sscan(timestamp, &at); err != nil || time.Since(time.Unix(at, 0)).Abs() > 10*time.Minute {
				t.Errorf("%q was believed", timestamp)
			}
			if !strings.Contains(signature, sign(id, fmt.Sprint(at), body)) {
				t.Errorf("%q was believed of %q, %q", signature, id, body)
			}
		}
		// The right signature among others is found.
		fresh := fmt.Sprint(time.Now().Unix())
		header.Set("webhook-timestamp", fresh)
		header.Set("webhook-signature", "v1,AAAA "+sign(id, fresh, body))
		if id != "" {
			if err := verifier.Verify(body, header); err != nil {
				t.Errorf("%q, %q: %v", id, body, err)
			}
		}
	})
}

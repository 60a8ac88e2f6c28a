package access

import (
	"strings"
	"testing"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::9": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "nowhere": "nowhere", strings.Repeat("x", 1000): strings.Repeat("x", 64),
	} {
		if got := Network(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// TestGuessesOfANetwork makes one network guess keys from many of its addresses.
func TestGuessesOfANetwork(t *testing.T) {
	t.Parallel()
	throttle := NewThrottle(3)
	for i, address := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3:4"} {
		if err := throttle.Allow(address); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if throttle.Allow("2001:db8::5") == nil {
		t.Error("a fourth one was allowed")
	}
	if err := throttle.Allow("2001:db8:0:1::5"); err != nil {
		t.Errorf("another network: %v", err)
	}
}

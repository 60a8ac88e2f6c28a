package db_test

import (
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"malformed": "postgres://user:secret@[/db", "nobody there": "postgres://user:secret@127.0.0.1:1/db", "not a URL": "what=",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			_, err := db.Open(t.Context(), db.Config{URL: url})
			if err == nil {
				t.Fatal("want an error")
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error gives the password away or has several lines: %v", err)
			}
			if d := time.Since(started); d > 10*time.Second {
				t.Errorf("took %s", d)
			}
		})
	}
}

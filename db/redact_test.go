package db_test

import (
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// TestRedact gives no password, however it is written.
func TestRedact(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://me:s3cret@host/db", "postgres://host/db?user=me&password=s3cret", "postgres://host/db?sslpassword=s3cret&sslmode=require", "postgres://me:s3cret@ho st/db",
		"host=h password=s3cret dbname=d", "host=h password = s3cret", "host=h password='a s3cret b' dbname=d", `host=h PASSWORD='a\' s3cret'`, "sslpassword=s3cret host=h", "password='s3cret",
	} {
		if got := db.Redact(dsn); strings.Contains(got, "s3cret") {
			t.Errorf("%s is shown as %s", dsn, got)
		}
	}
	if got := db.Redact("host=h port=5 dbname=d"); got != "host=h port=5 dbname=d" {
		t.Errorf("%s", got)
	}
}

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
		"postgres://me:s3cret@host/db", "postgres://host/db?user=me&password=s3cret",
		"postgres://host/db?sslpassword=s3cret&sslmode=require", "postgres://me:s3cret@ho st/db",
		"host=h password=s3cret dbname=d", "host=h password = s3cret", "host=h password='a s3cret b' dbname=d",
		`host=h PASSWORD='a\' s3cret'`, `password=abc\ s3cret host=h`, `password=\ s3cret`, `password='a's3cret`,
		"password=abc\\\ns3cret",
		"postgres://u:12#s3cret@host/db", "postgres://u:123/s3cret@host/db", "postgres://u:?s3cret@host/db",
		"u:s3cret@host/db", "postgres:u:s3cret@h/db", "postgres:u:s3cret@h/db?sslmode=disable",
		"u:s3cret@host/db?a=b", " postgres://u:s3cret@h/db?a=b", "a/b=://u password=s3cret", "postgres://u:12#s3cret",
		"sslpassword=s3cret host=h", "password='s3cret",
	} {
		if got := db.Redact(dsn); strings.Contains(got, "s3cret") {
			t.Errorf("%s is shown as %s", dsn, got)
		}
	}
	for dsn, want := range map[string]string{
		"host=h port=5 dbname=d":                    "host=h port=5 dbname=d",
		`host=h password=abc\ def dbname=d`:         "host=h password=xxxxx dbname=d",
		"postgres://me:x@host:5/db?sslmode=disable": "postgres://me:xxxxx@host:5/db?sslmode=disable",
		"postgres:///db?host=/run":                  "postgres:///db?host=%2Frun",
		"postgres://a%40b:x@host/db?user=a%40b":     "postgres://a%40b:xxxxx@host/db?user=a%40b",
		"":                                          "",
	} {
		if got := db.Redact(dsn); got != want {
			t.Errorf("%s is shown as %s, want %s", dsn, got, want)
		}
	}
}

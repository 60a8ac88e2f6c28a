package cli_test

import (
	"os"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/cli"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/jobs"
)

// TestMain lets the test binary be the program itself, so that tests can run it as a user does.
func TestMain(m *testing.M) {
	if os.Getenv("EXPLORER_TEST_MAIN") != "" {
		var parts []jobs.Part
		if os.Getenv("EXPLORER_TEST_STORM") != "" {
			parts = append(parts, storm())
		}
		os.Exit(cli.MainWith(os.Args[1:], "test", os.Stdout, os.Stderr, parts...))
	}
	dbtest.Main(m)
}

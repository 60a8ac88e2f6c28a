package cli_test

import (
	"os"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/cli"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestMain lets the test binary be the program itself, so that tests can run it as a user does.
func TestMain(m *testing.M) {
	if os.Getenv("EXPLORER_TEST_MAIN") != "" {
		os.Exit(cli.Main(os.Args[1:], "test", os.Stdout, os.Stderr))
	}
	dbtest.Main(m)
}

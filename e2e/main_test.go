package e2e_test

import (
	"os"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/cli/clitest"
	"github.com/parliament-explorer/parliament-explorer/jobs"
)

// parts are the assets of the storm, in the processes that ask for them.
func parts() []jobs.Contribution {
	if os.Getenv("EXPLORER_TEST_STORM") == "" {
		return nil
	}
	return []jobs.Contribution{storm()}
}

func TestMain(m *testing.M) { clitest.Main(m, parts) }

var (
	program    = clitest.Program
	background = clitest.Background
	read       = clitest.Read
	eventually = clitest.Eventually
	comesAbout = clitest.ComesAbout
	sleep      = clitest.Sleep
)

type result struct {
	code     int
	out, err string
}

func run(t testing.TB, env []string, args ...string) result {
	t.Helper()
	r := clitest.Run(t, env, args...)
	return result{r.Code, r.Out, r.Err}
}

package cli_test

import (
	"testing"

	"github.com/parliament-explorer/parliament-explorer/cli/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m, nil) }

var (
	program    = clitest.Program
	background = clitest.Background
	read       = clitest.Read
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

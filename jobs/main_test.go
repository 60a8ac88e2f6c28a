package jobs_test

import (
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m, stopReplays) }

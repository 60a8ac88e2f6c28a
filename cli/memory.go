package cli

import (
	"errors"
	"math"
	"runtime/debug"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is how much of the memory that the process may have, by its control group, the garbage collector aims
// at. The rest is for what it does not see, for memory that is on its way back to the system, and, where the program
// runs a Postgres of its own, for that. It is below MemoryHigh of the systemd units.
const memoryShare = 0.6

// limitMemory sets the memory limit of the garbage collector from that of the process. GOMEMLIMIT takes precedence.
func (a *app) limitMemory() {
	_, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(memoryShare))
	if err != nil && !errors.Is(err, memlimit.ErrNoLimit) && !errors.Is(err, memlimit.ErrNoCgroup) &&
		!errors.Is(err, memlimit.ErrCgroupsNotSupported) {
		a.log.Warn("the memory limit of this process could not be read; set GOMEMLIMIT", "error", err)
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		a.log.Debug("memory", "limit_mb", limit>>20)
	}
}

// startedAfter is when a process has started: caches are filled, and what the start allocated is garbage.
const startedAfter = 5 * time.Second

// freeStart returns the memory that the start of a process took, most of it for the contract, to the system. The
// garbage collector of a process that is idle would keep it.
func freeStart() (stop func() bool) {
	return time.AfterFunc(startedAfter, debug.FreeOSMemory).Stop
}

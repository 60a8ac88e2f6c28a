package sql

import (
	"hash/fnv"
	"time"

	"github.com/google/uuid"
)

// LockKey returns the advisory lock that orders changes of a thing, such as ("limit", "pool:legisinfo") or ("alert",
// "check:a/b").
//
// Every transaction takes its locks in one order, or two of them would wait for each other: the row of the backfill,
// the schedule or the sensor that it changes; the row of the run; whatever Step.InFinish writes; alerts; limits;
// partitions. It takes all locks of one kind at once, ordered by name: see Alerter.LockTx, lockLimits and
// lockPartitions.
func LockKey(kind, name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind + " " + name))
	return int64(h.Sum64()) //nolint:gosec // any number will do
}

// FloorID returns an id that is below every UUIDv7 made a second before t or later. Clocks and counters within a
// process may put an id slightly before its row's created_at.
func FloorID(t time.Time) uuid.UUID {
	ms := max(t.Add(-time.Second).UnixMilli(), 0)
	var u uuid.UUID
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i))) //nolint:gosec // the lowest eight bits are meant
	}
	u[6], u[8] = 0x70, 0x80
	return u
}

package retention

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kinds of records. A deployment may have more; see Sweeper.
const (
	Events     = "events"     // the event log
	Runs       = "runs"       // runs with their steps and materializations, check results, and backfills
	Ticks      = "ticks"      // of schedules and sensors
	Jobs       = "jobs"       // River's, once they are finished
	Deliveries = "deliveries" // alerts that have recovered, and the messages about them
	Webhooks   = "webhooks"   // events that webhook sensors received
	RunKeys    = "run_keys"   // the keys by which sensors start a run once; a key that was deleted starts another run
)

// Keep says how much of a kind is kept: records younger than Age, and at most Count of them. 0 means no limit.
type Keep struct {
	Age   time.Duration
	Count int64
}

// Policy says how much is kept, by kind.
type Policy map[string]Keep

const day = 24 * time.Hour

// Defaults returns the policy of a deployment that sets none.
func Defaults() Policy {
	return Policy{
		Events: {Age: 90 * day}, Runs: {Age: 365 * day}, Ticks: {Age: 90 * day}, Jobs: {Age: time.Hour},
		Deliveries: {Age: 180 * day}, Webhooks: {Age: 30 * day}, RunKeys: {Age: 400 * day},
	}
}

// String returns k as ParseKeep reads it.
func (k Keep) String() string {
	s := "off"
	switch {
	case k.Age > 0 && k.Age%day == 0:
		s = strconv.Itoa(int(k.Age/day)) + "d"
	case k.Age > 0:
		s = k.Age.String()
	}
	if k.Count > 0 {
		s += "/" + strconv.FormatInt(k.Count, 10)
	}
	return s
}

// ParseKeep reads "events=90d", "runs=180d/1000000" (at most so many), "ticks=off/5000", or "events=off" (for ever).
func ParseKeep(s string) (kind string, k Keep, err error) {
	kind, given, ok := strings.Cut(s, "=")
	fail := func() (string, Keep, error) {
		return "", Keep{}, fmt.Errorf(
			"%q: want kind=age or kind=age/count, such as events=90d or runs=180d/1000000; off is for ever", s)
	}
	if !ok || kind == "" {
		return fail()
	}
	age, count, counted := strings.Cut(given, "/")
	switch days, isDays := strings.CutSuffix(age, "d"); {
	case age == "off":
	case isDays:
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return fail()
		}
		k.Age = time.Duration(n) * day
	default:
		if k.Age, err = time.ParseDuration(age); err != nil || k.Age < time.Minute {
			return fail()
		}
	}
	if counted {
		if k.Count, err = strconv.ParseInt(count, 10, 64); err != nil || k.Count < 1 {
			return fail()
		}
	}
	return kind, k, nil
}

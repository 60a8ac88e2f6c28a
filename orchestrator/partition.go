package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// Kinds of partition sets.
const (
	PartitionsStatic  = "static"
	PartitionsTime    = "time_window"
	PartitionsDynamic = "dynamic"
	PartitionsMulti   = "multi"
)

// PartitionSet divides an asset into parts that are materialized one by one, each named by a key. Make one with
// StaticPartitions, TimePartitions, DynamicPartitions or MultiPartitions; several assets may share it.
type PartitionSet struct {
	Name string
	Kind string

	static []string
	window window
	dims   [2]*PartitionSet
	err    error // of its constructor, returned by NewDefinitions
}

// StaticPartitions makes a set of fixed keys, in this order.
func StaticPartitions(name string, keys ...string) *PartitionSet {
	s := &PartitionSet{Name: name, Kind: PartitionsStatic, static: keys}
	if len(keys) == 0 {
		s.err = errors.New("has no keys")
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if err := validKey(k); err != nil {
			s.err = err
		}
		if seen[k] {
			s.err = fmt.Errorf("key %q is there twice", k)
		}
		seen[k] = true
	}
	return s
}

// DynamicPartitions makes a set whose keys are added while the program runs, by Step.AddPartitions or
// Engine.AddPartitions. They are in alphabetical order.
func DynamicPartitions(name string) *PartitionSet {
	return &PartitionSet{Name: name, Kind: PartitionsDynamic}
}

// MultiPartitions makes a set with a key "x|y" for every key x of one set and y of another. Neither may be such a set.
func MultiPartitions(name string, x, y *PartitionSet) *PartitionSet {
	s := &PartitionSet{Name: name, Kind: PartitionsMulti, dims: [2]*PartitionSet{x, y}}
	for _, d := range s.dims {
		if d.Kind == PartitionsMulti {
			s.err = fmt.Errorf("dimension %q has two dimensions itself", d.Name)
		} else if d.err != nil {
			s.err = fmt.Errorf("dimension %q: %w", d.Name, d.err)
		}
	}
	return s
}

// Lengths of time windows.
const (
	Hourly  = "hourly"
	Daily   = "daily"
	Weekly  = "weekly" // from Sunday
	Monthly = "monthly"
)

// TimeWindows describe a set of time windows.
type TimeWindows struct {
	// Every is Hourly, Daily, Weekly or Monthly.
	Every string
	// Start is a day, e.g. "2025-01-01"; the first window is the first one that begins on it or later.
	Start string
	// TimeZone is an IANA name; default America/Toronto. A day on which clocks change has 23 or 25 hours.
	TimeZone string
	// IncludeCurrent makes the current window, which has not ended, a partition too.
	IncludeCurrent bool
}

// TimePartitions makes a set of consecutive time windows. A window is a partition once it has ended. Its key is the day
// on which it begins, "2025-01-01", and for hours the time with its offset, "2025-01-01T13:00-05:00".
func TimePartitions(name string, w TimeWindows) *PartitionSet {
	s := &PartitionSet{Name: name, Kind: PartitionsTime}
	s.window, s.err = newWindow(w)
	return s
}

const dimensionSeparator = "|"

func validKey(k string) error {
	if k == "" || len(k) > 100 || strings.ContainsAny(k, dimensionSeparator+"\x00\n") || strings.TrimSpace(k) != k {
		return fmt.Errorf(
			"key %q: want 1 to 100 characters without %q, line breaks or white space around them",
			k,
			dimensionSeparator,
		)
	}
	return nil
}

// window computes time windows in a zone.
type window struct {
	TimeWindows
	location *time.Location
	first    time.Time
}

const dayKey, hourKey = "2006-01-02", "2006-01-02T15:04-07:00"

func newWindow(o TimeWindows) (window, error) {
	w := window{TimeWindows: o}
	if w.TimeZone == "" {
		w.TimeZone = DefaultTimeZone
	}
	var err error
	if w.location, err = time.LoadLocation(w.TimeZone); err != nil {
		return w, fmt.Errorf("time zone %q is not known", w.TimeZone)
	}
	if !slices.Contains([]string{Hourly, Daily, Weekly, Monthly}, w.Every) {
		return w, fmt.Errorf("every %q: want hourly, daily, weekly or monthly", w.Every)
	}
	day, err := time.Parse(dayKey, w.Start)
	if err != nil {
		return w, fmt.Errorf("start %q: want a day such as 2025-01-01", w.Start)
	}
	day = midnight(day.Year(), day.Month(), day.Day(), w.location)
	if w.first = w.floor(day); w.first.Before(day) {
		w.first = w.next(w.first)
	}
	return w, nil
}

// midnight returns the first moment of a day. On a day whose clocks skip midnight, that is one o'clock.
func midnight(year int, month time.Month, day int, loc *time.Location) time.Time {
	want := time.Date(year, month, day, 12, 0, 0, 0, loc).Day()
	t := time.Date(year, month, day, 0, 0, 0, 0, loc)
	for t.Day() != want {
		t = t.Add(30 * time.Minute)
	}
	return t
}

// floor returns the beginning of the window that a moment is in.
func (w window) floor(t time.Time) time.Time {
	t = t.In(w.location)
	switch w.Every {
	case Hourly:
		return t.Add(
			-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()),
		)
	case Weekly:
		return midnight(t.Year(), t.Month(), t.Day()-int(t.Weekday()), w.location)
	case Monthly:
		return midnight(t.Year(), t.Month(), 1, w.location)
	}
	return midnight(t.Year(), t.Month(), t.Day(), w.location)
}

// next returns the end of the window that begins at t, which is the beginning of the following window.
func (w window) next(t time.Time) time.Time {
	switch w.Every {
	case Hourly:
		return t.Add(time.Hour)
	case Weekly:
		return midnight(t.Year(), t.Month(), t.Day()+7, w.location)
	case Monthly:
		return midnight(t.Year(), t.Month()+1, 1, w.location)
	}
	return midnight(t.Year(), t.Month(), t.Day()+1, w.location)
}

func (w window) key(t time.Time) string {
	if w.Every == Hourly {
		return t.Format(hourKey)
	}
	return t.Format(dayKey)
}

// available reports whether the window that begins at t is a partition at now.
func (w window) available(t, now time.Time) bool {
	if w.IncludeCurrent {
		return !t.After(now)
	}
	return !w.next(t).After(now)
}

func (w window) keys(now time.Time) []string {
	keys := []string{}
	for t := w.first; w.available(t, now); t = w.next(t) {
		keys = append(keys, w.key(t))
	}
	return keys
}

// parse returns the window of a key.
func (w window) parse(key string) (start, end time.Time, ok bool) {
	layout := dayKey
	if w.Every == Hourly {
		layout = hourKey
	}
	t, err := time.Parse(layout, key)
	if err != nil {
		return start, end, false
	}
	if w.Every != Hourly {
		t = midnight(t.Year(), t.Month(), t.Day(), w.location)
	}
	start = w.floor(t)
	return start, w.next(start), !start.Before(w.first) && w.key(start) == key
}

// Window returns the time that a key of a set of time windows stands for, from start up to end; ok is false for other
// keys.
func (s *PartitionSet) Window(key string) (start, end time.Time, ok bool) {
	if s.Kind != PartitionsTime {
		return start, end, false
	}
	return s.window.parse(key)
}

// Partitions lists the keys of a set, in order.
func (e *Engine) Partitions(ctx context.Context, s *PartitionSet) ([]string, error) {
	switch s.Kind {
	case PartitionsStatic:
		return s.static, nil
	case PartitionsTime:
		return s.window.keys(e.now()), nil
	case PartitionsDynamic:
		return e.q.ListDynamicPartitions(ctx, s.Name)
	}
	x, err := e.Partitions(ctx, s.dims[0])
	if err != nil {
		return nil, err
	}
	y, err := e.Partitions(ctx, s.dims[1])
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(x)*len(y))
	for _, a := range x {
		for _, b := range y {
			keys = append(keys, a+dimensionSeparator+b)
		}
	}
	return keys, nil
}

// hasPartition reports whether a set has a key now.
func (e *Engine) hasPartition(ctx context.Context, s *PartitionSet, key string) (bool, error) {
	switch s.Kind {
	case PartitionsStatic:
		return slices.Contains(s.static, key), nil
	case PartitionsTime:
		start, _, ok := s.window.parse(key)
		return ok && s.window.available(start, e.now()), nil
	case PartitionsDynamic:
		return e.q.HasDynamicPartition(ctx, sql.HasDynamicPartitionParams{Set: s.Name, Key: key})
	}
	x, y, ok := strings.Cut(key, dimensionSeparator)
	if !ok {
		return false, nil
	}
	has, err := e.hasPartition(ctx, s.dims[0], x)
	if err != nil || !has {
		return false, err
	}
	return e.hasPartition(ctx, s.dims[1], y)
}

// noPartition returns the error for a key that a set does not have. It names the keys of the set.
func (e *Engine) noPartition(ctx context.Context, pointer string, s *PartitionSet, key string) error {
	keys, err := e.Partitions(ctx, s)
	if err != nil {
		return err
	}
	have := "it has none yet"
	switch {
	case len(keys) > 6:
		have = fmt.Sprintf("it has %d, from %s to %s", len(keys), keys[0], keys[len(keys)-1])
	case len(keys) > 0:
		have = "it has " + strings.Join(keys, ", ")
	}
	return invalidRequest(pointer, "%q is not a partition of %s: %s", key, s.Name, have)
}

// partitionByConfig returns the partition that a run without one is of, by the config of its assets: the partition that
// decides exactly these fields. It is empty if there is none, or if the config of a partitioned asset does not
// determine one; the assets are then materialized as a whole.
func (e *Engine) partitionByConfig(
	ctx context.Context,
	assets []string,
	config map[string]json.RawMessage,
) (string, error) {
	var set *PartitionSet
	var of []*Asset
	for _, name := range assets {
		a := e.defs.byAsset[name]
		if a.Partitions == nil {
			continue
		}
		if a.PartitionConfig == nil || set != nil && a.Partitions != set {
			return "", nil
		}
		set, of = a.Partitions, append(of, a)
	}
	if set == nil {
		return "", nil
	}
	keys, err := e.Partitions(ctx, set)
	if err != nil {
		return "", err
	}
	for i, a := range of {
		key := a.partitionOfConfig(keys, config[a.Name])
		if key == "" || i > 0 && key != keys[0] {
			return "", nil
		}
		keys = []string{key}
	}
	return keys[0], nil
}

// partitionOfConfig returns the key that decides the config fields as they are; empty if none or several do.
func (a *Asset) partitionOfConfig(keys []string, config json.RawMessage) (found string) {
	var fields map[string]any
	if err := runconfig.Decode(config, &fields); err != nil {
		return ""
	}
	for _, key := range keys {
		decided, err := a.PartitionConfig(key)
		if err != nil || len(decided) == 0 {
			continue
		}
		same := true
		for name, value := range decided {
			same = same && sameValue(fields[name], value)
		}
		switch {
		case !same:
		case found != "":
			return ""
		default:
			found = key
		}
	}
	return found
}

// sameValue reports whether a config field that was read equals one that Go code made.
func sameValue(read, made any) bool {
	raw, err := json.Marshal(made)
	if err != nil {
		return false
	}
	var again any
	return runconfig.Decode(raw, &again) == nil && runconfig.SameJSON(read, again)
}

// AddPartitions adds keys to a dynamic set and returns how many were new.
func (e *Engine) AddPartitions(ctx context.Context, set string, keys ...string) (int, error) {
	return addPartitions(ctx, e.q, e.now(), set, keys)
}

func addPartitions(ctx context.Context, q *sql.Queries, at time.Time, set string, keys []string) (int, error) {
	for _, k := range keys {
		if err := validKey(k); err != nil {
			return 0, err
		}
	}
	keys = slices.Sorted(slices.Values(keys)) // one order of locks for all who add the same keys
	n, err := q.AddDynamicPartitions(ctx, sql.AddDynamicPartitionsParams{Set: set, Keys: keys, CreatedAt: at})
	return int(n), err
}

// Statuses of partitions. A partition has "failed" where a run has StatusFailure.
const (
	PartitionMissing      = "missing"
	PartitionMaterialized = "materialized"
	PartitionFailed       = "failed"
	PartitionRunning      = "running"
)

// PartitionState is the state of one partition of an asset.
type PartitionState struct {
	Key            string
	Status         string
	RunID          *uuid.UUID // the run that the status comes from; nil if there was none
	MaterializedAt *time.Time
}

// PartitionStates lists all partitions of an asset in the order of their set; ErrConflict if it has none.
func (e *Engine) PartitionStates(ctx context.Context, asset string) ([]PartitionState, error) {
	a, err := e.defs.Asset(asset)
	if err != nil {
		return nil, err
	}
	if a.Partitions == nil {
		return nil, &ConflictError{Reason: fmt.Sprintf("asset %q is not partitioned", asset)}
	}
	keys, err := e.Partitions(ctx, a.Partitions)
	if err != nil {
		return nil, err
	}
	rows, err := e.q.ListAssetPartitions(ctx, asset)
	if err != nil {
		return nil, err
	}
	known := make(map[string]*sql.AssetPartition, len(rows))
	for i := range rows {
		known[rows[i].Partition] = &rows[i]
	}
	if a.PartitionConfig != nil && slices.ContainsFunc(keys, func(k string) bool { return known[k] == nil }) {
		if err := e.filledByConfig(ctx, a, keys, known); err != nil {
			return nil, err
		}
	}
	out := make([]PartitionState, len(keys))
	for i, key := range keys {
		out[i] = PartitionState{Key: key, Status: PartitionMissing}
		if row := known[key]; row != nil {
			out[i].Status, out[i].RunID, out[i].MaterializedAt = row.Status, &row.RunID, row.MaterializedAt
		}
	}
	return out, nil
}

// filledByConfig adds the partitions that runs without a partition materialized before the keys were known, by the
// configs of those runs.
func (e *Engine) filledByConfig(
	ctx context.Context,
	a *Asset,
	keys []string,
	known map[string]*sql.AssetPartition,
) error {
	rows, err := e.q.ListWholeMaterializations(ctx, a.Name)
	if err != nil {
		return err
	}
	slices.SortFunc(
		rows, func(a, b sql.ListWholeMaterializationsRow) int { return b.CreatedAt.Compare(a.CreatedAt) },
	) // the last one counts
	for _, r := range rows {
		if key := a.partitionOfConfig(keys, r.Config); key != "" && known[key] == nil {
			known[key] = &sql.AssetPartition{
				Asset:          a.Name,
				Partition:      key,
				Status:         PartitionMaterialized,
				RunID:          r.RunID,
				MaterializedAt: &r.CreatedAt,
			}
		}
	}
	return nil
}

//go:build unix

package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// historyFile keeps the figures of every `make bench`, one line of JSON each, so that a change for the worse is seen.
const historyFile = "testdata/bench.jsonl"

// figure is one measurement. Value is in the unit of the printed figure; Limit is the machine's own, in the same
// minute, 0 if none was measured. What can be compared between machines is the ratio of the two.
type figure struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit,omitempty"`
	More  bool    `json:"more,omitempty"` // is better
}

func (f figure) ratio() float64 {
	if f.Limit > 0 {
		return f.Value / f.Limit
	}
	return f.Value
}

type benchRun struct {
	At       time.Time `json:"at"`
	Revision string    `json:"revision"`
	Figures  []figure  `json:"figures"`
}

var number = regexp.MustCompile(`[0-9]+(?:\.[0-9]+)?`)

func (b *bench) note(what, value, wanted, limit string) {
	v, err := strconv.ParseFloat(number.FindString(value), 64)
	if err != nil {
		return
	}
	f := figure{What: what, Value: v, More: strings.HasPrefix(wanted, ">=") || strings.Contains(value, "/s")}
	if _, after, ok := strings.Cut(limit, ": "); ok {
		f.Limit, _ = strconv.ParseFloat(number.FindString(after), 64)
	}
	b.figures = append(b.figures, f)
}

// compare says what became worse by more than a fifth than the median of the last five times, and keeps the figures.
func (b *bench) compare() {
	before := map[string][]float64{}
	raw, err := os.ReadFile(historyFile)
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	for scanner := bufio.NewScanner(bytes.NewReader(raw)); scanner.Scan(); {
		var run benchRun
		b.must(json.Unmarshal(scanner.Bytes(), &run))
		for _, f := range run.Figures {
			before[f.What] = append(before[f.What], f.ratio())
		}
	}
	for _, f := range b.figures {
		past := before[f.What]
		if len(past) == 0 {
			continue
		}
		past = slices.Sorted(slices.Values(past[max(0, len(past)-5):]))
		change := f.ratio()/past[len(past)/2] - 1
		if worse := f.More && change < -0.2 || !f.More && change > 0.2; !worse {
			continue
		}
		fmt.Printf("WORSE by %+.0f %% than the last times, measured against the machine's limit: %s\n", 100*change, f.What)
	}
	revision, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	line, err := json.Marshal(benchRun{At: time.Now().UTC().Truncate(time.Second),
		Revision: strings.TrimSpace(string(revision)), Figures: b.figures})
	b.must(err)
	b.must(os.MkdirAll("testdata", 0o755))
	f, err := os.OpenFile(historyFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	b.must(err)
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	b.must(err)
}

package orchestrator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// TestLongErrors keeps the beginning of an error's message, whatever an asset's function puts in it.
func TestLongErrors(t *testing.T) {
	t.Parallel()
	long := "it says é" + strings.Repeat("é", 1_000_000)
	assets := map[string]func() error{
		"lasting": func() error { return orchestrator.Permanent(errors.New(long)) },
		"passing": func() error { return errors.New(long) },
		"panics":  func() error { panic(long) },
	}
	var all []*orchestrator.Asset
	var names []string
	for name, f := range assets {
		names = append(names, name)
		all = append(
			all,
			orchestrator.NewAsset(
				orchestrator.AssetOptions{Name: name},
				func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, f() },
			),
		)
	}
	e := startEngine(t, dbtest.New(t), define(t, all, nil))
	ended, events := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: names}).ID)
	for _, step := range ended.Steps {
		if step.Error == nil || !strings.Contains(step.Error.Message, "it says é") || len(step.Error.Message) > 5_000 ||
			!utf8.ValidString(step.Error.Message) {
			t.Errorf("%s ended with %+v", step.Asset, step.Error)
		}
	}
	for _, ev := range events {
		if len(ev.Message) > 6_000 || len(ev.Data) > 20_000 {
			t.Errorf("%s has a message of %d bytes, and data of %d", ev.Type, len(ev.Message), len(ev.Data))
		}
	}
}

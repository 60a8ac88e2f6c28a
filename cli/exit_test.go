package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// TestExitOf says how a run ended by the exit code, and why by the last line.
func TestExitOf(t *testing.T) {
	t.Parallel()
	alice := "alice"
	canceled := api.Step{Asset: "a", Status: api.StepStatusCanceled,
		Error: &api.RunError{Class: "canceled", Message: "canceled by alice"}}
	for name, c := range map[string]struct {
		run  api.RunDetail
		code int
		says string
	}{
		"success":   {api.RunDetail{Status: api.RunStatusSuccess}, 0, ""},
		"canceled":  {api.RunDetail{Status: api.RunStatusCanceled, CanceledBy: &alice, Steps: []api.Step{canceled}}, exitCanceled, "was canceled by alice"},
		"failure":   {api.RunDetail{Status: api.RunStatusFailure, Error: &api.RunError{Message: "failed: a"}, Steps: []api.Step{{Asset: "a", Status: api.StepStatusFailure, Error: &api.RunError{Message: "boom"}}}}, exitFailure, "ended as failure: a: boom"},
		"timed out": {api.RunDetail{Status: api.RunStatusFailure, Error: &api.RunError{Message: "took longer than 1h0m0s"}, Steps: []api.Step{canceled}}, exitFailure, "ended as failure: took longer than 1h0m0s"},
		"held back": {api.RunDetail{Status: api.RunStatusFailure, Error: &api.RunError{Message: "held back: b, by check c of a"}}, exitFailure, "held back: b, by check c of a"},
	} {
		err := exitOf(&c.run)
		var exit *exitError
		if c.code == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.As(err, &exit) || exit.code != c.code || !strings.Contains(exit.message, c.says) {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

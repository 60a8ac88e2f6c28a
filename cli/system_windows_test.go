package cli

import (
	"context"
	"testing"

	"golang.org/x/sys/windows/svc"
)

// TestService speaks to the program as the service manager does.
func TestService(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask  svc.Cmd // 0: the program ends by itself
		code int
	}{
		"Stop":     {ask: svc.Stop},
		"Shutdown": {ask: svc.Shutdown},
		"Failure":  {code: exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &service{run: func(ctx context.Context) int {
				if c.ask != 0 {
					<-ctx.Done()
				}
				return c.code
			}}
			requests, status := make(chan svc.ChangeRequest, 2), make(chan svc.Status, 10)
			if c.ask != 0 {
				requests <- svc.ChangeRequest{Cmd: svc.Interrogate, CurrentStatus: svc.Status{State: svc.Running, CheckPoint: 7}}
				requests <- svc.ChangeRequest{Cmd: c.ask}
			}
			specific, code := s.Execute(nil, requests, status)
			if specific != (c.code != exitOK) || int(code) != c.code || s.code != c.code {
				t.Errorf("Execute = %v, %d; code %d", specific, code, s.code)
			}
			close(status)
			var states []svc.State
			answered := false
			for st := range status {
				states = append(states, st.State)
				answered = answered || st.CheckPoint == 7
				if st.State == svc.Running && st.CheckPoint == 0 && st.Accepts != svc.AcceptStop|svc.AcceptShutdown {
					t.Errorf("accepts %d", st.Accepts)
				}
			}
			if states[0] != svc.StartPending || states[1] != svc.Running || states[len(states)-1] != svc.StopPending {
				t.Errorf("states = %v", states)
			}
			if c.ask != 0 && !answered {
				t.Error("Interrogate had no answer")
			}
		})
	}
}

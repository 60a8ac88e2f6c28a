package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

// What people type in PowerShell, for lines that a command prints to go on with. There curl alone may be another
// program, and JSON as an argument loses its quotes; YAML has none. %[2]s is the address of a simulated Parliament.
const (
	curl            = "curl.exe"
	withEnvironment = "$env:OPENPARLIAMENT_URL = '%[2]s'; $env:LEGISINFO_URL = '%[2]s/legisinfo'; explorer dev"
)

// diskFree returns how many bytes this user can still write to the disk of a folder.
func diskFree(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(free), nil //nolint:gosec // far below
}

// obeysEscapes reports whether a console has colors and a cursor that can be moved. It has to be asked to.
func obeysEscapes(f *os.File) bool {
	console := windows.Handle(f.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(console, &mode); err != nil {
		return false
	}
	if mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0 {
		return true
	}
	return windows.SetConsoleMode(console,
		mode|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}

// asService runs the program as a service of the system, if the service manager started it. The context ends when the
// service is to stop. A service has no console: what it prints goes to the event log of the system.
func asService(run func(context.Context, io.Writer) int) (code int, isService bool) {
	if is, err := svc.IsWindowsService(); err != nil || !is {
		return 0, false
	}
	const name = "parliament-explorer" // services of their own process may be called anything
	w := io.Discard
	if log, err := eventlog.Open(name); err == nil {
		defer log.Close() //nolint:errcheck // at the end of the process
		w = eventWriter{log}
	}
	s := &service{run: func(ctx context.Context) int { return run(ctx, w) }}
	if err := svc.Run(name, s); err != nil {
		printLine(w, fmt.Sprintf("explorer: the service manager: %s", err))
		return exitFailure, true
	}
	return s.code, true
}

// service implements the program as a service of Windows.
type service struct {
	run  func(context.Context) int
	code int
}

// Execute implements svc.Handler.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (
	specific bool, code uint32,
) {
	const accepts = svc.AcceptStop | svc.AcceptShutdown
	status <- svc.Status{State: svc.StartPending}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan int, 1)
	go func() { ended <- s.run(ctx) }()
	status <- svc.Status{State: svc.Running, Accepts: accepts}
	for {
		select {
		case s.code = <-ended:
			status <- svc.Status{State: svc.StopPending}
			return s.code != exitOK, uint32(s.code) //nolint:gosec // a small number
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: 15_000}
				stop()
			default: // nothing else was accepted
			}
		}
	}
}

// eventWriter writes each line as an entry of the event log.
type eventWriter struct{ log *eventlog.Log }

// Write implements io.Writer.
func (w eventWriter) Write(line []byte) (int, error) {
	const printed = 1 // the number of the message; there is one kind
	if err := w.log.Info(printed, string(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

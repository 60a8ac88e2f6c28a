//go:build unix

package jobs_test

import "syscall"

// ownGroup starts a program in a process group of its own, so that a Ctrl-C in the terminal reaches the tests alone.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

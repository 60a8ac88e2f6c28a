package jobs_test

import "syscall"

// ownGroup starts a program in a process group of its own, so that a Ctrl-C in the console reaches the tests alone.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

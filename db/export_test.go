package db

import "os/exec"

// Command prepares one of the server's programs to run as the server's user.
func Command(e *Embedded, name string, args ...string) *exec.Cmd { return e.command(name, args...) }

// Socket is the folder of the server's socket.
func Socket(e *Embedded) string { return e.socket }

// Chown gives a folder to the server's user.
func Chown(e *Embedded, dir string) error { return e.chown(dir) }

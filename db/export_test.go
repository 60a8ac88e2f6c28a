package db

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"time"
)

// Command prepares one of the server's programs to run as the server's user.
func Command(e *Embedded, name string, args ...string) *exec.Cmd { return e.command(name, args...) }

// Socket is the folder of the server's socket.
func Socket(e *Embedded) string { return e.socket }

// Chown gives a folder to the server's user.
func Chown(e *Embedded, dir string) error { return e.chown(dir) }

// Every sets how often a replica is looked at.
func Every(cfg *ReplicaConfig, every time.Duration) { cfg.every = every }

// Look has a replica looked at now.
func (r *Replica) Look(ctx context.Context) { r.look(ctx) }

// Reading is what queries run on.
func Reading(d *DB) DBTX { return d.reading() }

// CursorOf is a cursor as the server writes it.
func CursorOf(list string, key any) string {
	raw, err := json.Marshal(struct {
		List string `json:"l"`
		Key  any    `json:"k"`
	}{list, key})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

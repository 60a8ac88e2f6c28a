package db

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"
)

// Every sets how often a replica is looked at.
func Every(cfg *ReplicaConfig, every time.Duration) { cfg.every = every }

// Look has a replica looked at now.
func (r *Replica) Look(ctx context.Context) { r.look(ctx) }

// Reading is what queries run on.
func Reading(d *DB) Querier { return d.reading() }

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

// Retrying retries single statements.
type Retrying = retrying

// WriteProbeFile is the statement that needs a file.
const WriteProbeFile = writeProbeFile

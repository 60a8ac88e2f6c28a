package cli

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// replicaFlags are the flags of the read replica.
type replicaFlags struct {
	DatabaseReadURL    string        `env:"DATABASE_READ_URL" help:"Streaming replica of DATABASE_URL for reads that may be a few seconds old. Without it, all reads use the primary."`
	DatabaseReadMaxLag time.Duration `env:"DATABASE_READ_MAX_LAG" default:"5s" help:"Maximum lag of the replica; one that lags more is not used."`
}

func (f replicaFlags) check() error {
	if f.DatabaseReadMaxLag < time.Second || f.DatabaseReadMaxLag > time.Hour {
		return usage("DATABASE_READ_MAX_LAG %s: want 1s to 1h", f.DatabaseReadMaxLag)
	}
	if f.DatabaseReadURL == "" {
		return nil
	}
	if _, err := pgxpool.ParseConfig(f.DatabaseReadURL); err != nil {
		return usage("DATABASE_READ_URL %q cannot be read: want postgres://user:password@host:port/database",
			db.Redact(f.DatabaseReadURL))
	}
	if err := db.CheckExecMode("DATABASE_READ_URL", f.DatabaseReadURL, db.PoolingNone); err != nil {
		return usage("%s", err)
	}
	return nil
}

// open starts to use the replica, if one is configured. closeReplica stops that.
func (f replicaFlags) open(a *app, d *db.DB) (closeReplica func(), err error) {
	if f.DatabaseReadURL == "" {
		return func() {}, nil
	}
	r, err := d.OpenReplica(a.ctx, db.ReplicaConfig{URL: f.DatabaseReadURL, MaxLag: f.DatabaseReadMaxLag, Logger: a.log})
	if err != nil {
		return nil, err
	}
	return r.Close, nil
}

// examine checks the replica.
func (f replicaFlags) examine(r *examination, d *db.DB) {
	if f.DatabaseReadURL == "" {
		return
	}
	const what = "read replica"
	if err := f.check(); err != nil {
		r.bad(what, err.Error(), "")
		return
	}
	replica, err := d.OpenReplica(r.a.ctx, db.ReplicaConfig{URL: f.DatabaseReadURL, MaxLag: f.DatabaseReadMaxLag,
		MaxConns: 2})
	if err != nil {
		r.bad(what, err.Error(), "check DATABASE_READ_URL")
		return
	}
	defer replica.Close()
	switch s := replica.Status(); s.State {
	case db.ReplicaUsed:
		r.good(what, fmt.Sprintf("follows the primary; lags at most %s", s.Lag.Round(time.Millisecond)))
	case db.ReplicaRefused:
		r.bad(what, s.Reason, "DATABASE_READ_URL must name a streaming replica of DATABASE_URL")
	case db.ReplicaLagging:
		r.warn(what, s.Reason+" ("+s.MaxLag.String()+")", "the primary answers while this lasts; look at the load of the "+
			"replica, or set DATABASE_READ_MAX_LAG")
	default:
		r.warn(what, s.Reason, "the primary answers while this lasts; check DATABASE_READ_URL and that the replica runs")
	}
}

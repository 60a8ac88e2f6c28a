package cli

import (
	"fmt"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// connections checks the addresses, and compares the connections of servers and workers with those that Postgres
// allows. It returns the doctor's own config; ok is false if the program could not work there.
func (c *doctorCmd) connections(r *examination, dsn string) (cfg db.Config, ok bool) {
	if err := c.checkConnections(); err != nil {
		r.bad("connections", err.Error(), "")
		return cfg, false
	}
	s, err := c.survey(r.a, dsn)
	if err != nil {
		r.bad("database", err.Error(), "check DATABASE_URL, DATABASE_DIRECT_URL and that Postgres runs")
		return cfg, false
	}
	switch s.Pooling {
	case db.PoolingTransaction:
		r.good("pooler", "is in transaction mode; LISTEN and workers use DATABASE_DIRECT_URL")
	case db.PoolingSession:
		r.good("pooler", "is in session mode")
	case db.PoolingNone, db.PoolingStatement: // the latter is refused above
	}
	l := s.Limits
	server := workload{serves: true, watches: c.DatabaseReadURL != ""}
	worker := workload{works: true, concurrency: c.Concurrency}
	one, two := c.opens(server, s), c.opens(worker, s)
	needs := 2*one + 2*two + reserveOf(l.Usable())
	finding := fmt.Sprintf("Postgres gives role %s %d; %d are in use; a server opens %d at most and a worker %d", l.Role,
		l.Usable(), l.InUse, one, two)
	warning, advice, cannot := worker.fits(c.DatabaseConnections, s)
	switch {
	case cannot != nil:
		r.bad("connections", cannot.Error(), "")
	case needs > l.Usable():
		r.warn("connections", fmt.Sprintf("%s: two of each do not fit", finding),
			l.Raise(needs)+", or lower DATABASE_CONNECTIONS")
	case warning != "" && l.Free() < two && l.Free() < leastConnections:
		r.warn("connections", finding+", and "+warning, advice)
	default:
		r.good("connections", finding)
	}
	return workload{connections: 2}.config(dsn, c.databaseFlags, s), cannot == nil
}

// opens returns how many Postgres connections a part may open. Behind a pooler in transaction mode, these are in
// addition to the pooler's.
func (c *doctorCmd) opens(p workload, s db.Survey) int {
	if s.Pooling != db.PoolingTransaction {
		return p.most(c.DatabaseConnections, s)
	}
	if p.works {
		return p.listens() + directConnections + 1 // its session
	}
	return p.listens() + 1
}

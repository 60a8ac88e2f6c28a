package cli

import (
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// postgres checks the settings of the database: those with which the program cannot work, or works worse.
func (c *doctorCmd) postgres(r *examination, d *db.DB) {
	s, err := d.Examine(r.a.ctx)
	if err != nil {
		r.warn("database settings", err.Error(), "")
		return
	}
	c.writes(r, d, s)
	if s.Schema == "" {
		r.bad("schema", "there is none in search_path ("+s.SearchPath+") that the role "+s.Role+" may use",
			"CREATE SCHEMA, or set another search_path in DATABASE_URL")
	} else if !s.MayCreate {
		r.warn("schema",
			fmt.Sprintf("the role %s may not create tables in %s, which `explorer migrate up` has to", s.Role, s.Schema),
			fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s, or migrate as its owner", s.Schema, s.Role))
	}
	c.extensions(r, s)
	for name, limit := range map[string]time.Duration{"statement_timeout": s.StatementTimeout,
		"lock_timeout": s.LockTimeout, "transaction_timeout": s.TransactionTimeout} {
		if limit > 0 && limit < time.Minute {
			r.warn("role", fmt.Sprintf("%s is %s for the role %s", name, limit, s.Role),
				"the program sets its own on its connections; other tools, such as psql, stop at it")
		}
	}
	if s.Encoding != "UTF8" {
		r.warn("encoding", "the database is "+s.Encoding+": texts with letters that it does not have cannot be stored",
			"create it anew: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0")
	}
	if !s.KnowsToronto {
		r.bad("time zones", "Postgres does not know America/Toronto: its time zone data is missing",
			"install tzdata on the machine of Postgres")
	}
	if _, err := time.LoadLocation("America/Toronto"); err != nil {
		r.bad("time zones", err.Error(), "")
	}
	c.semanticIndex(r, d)
}

// writes checks whether Postgres takes writes.
func (c *doctorCmd) writes(r *examination, d *db.DB, s *db.Settings) {
	switch {
	case s.Standby:
		r.bad("writes", "the server is a standby, which takes no writes", "let DATABASE_URL lead to the primary: "+
			"target_session_attrs=read-write with several hosts")
	case s.ReadOnly:
		r.bad("writes", "transactions are read-only (default_transaction_read_only)",
			fmt.Sprintf("ALTER ROLE %s RESET default_transaction_read_only, or the same for the database", s.Role))
	default:
		if err := d.CheckWritable(r.a.ctx); err != nil {
			r.bad("writes", err.Error(), "free space on the disk of Postgres; nothing is lost, and the work then continues")
		} else {
			r.good("writes", "are taken")
		}
	}
}

// extensions checks whether the extensions that the program needs are installed and can be found.
func (c *doctorCmd) extensions(r *examination, s *db.Settings) {
	for _, e := range s.Extensions {
		switch {
		case e.Schema == "" && !e.Available:
			r.bad("extension "+e.Name, "is not on the server", "install Postgres' contrib modules (Debian: in postgresql-NN "+
				"itself; Fedora: postgresql-contrib)")
		case e.Schema == "":
			r.warn("extension "+e.Name, "is not in the database yet",
				"`explorer migrate up` creates it, if the role may; else have a superuser run CREATE EXTENSION "+e.Name)
		case !e.InPath:
			r.bad("extension "+e.Name, fmt.Sprintf("is in the schema %s, outside of search_path (%s)", e.Schema, s.SearchPath),
				fmt.Sprintf("ALTER EXTENSION %s SET SCHEMA %s, or add %s to search_path in DATABASE_URL",
					e.Name, s.Schema, e.Schema))
		}
	}
}

// semanticIndex checks whether semantic search uses an index.
func (c *doctorCmd) semanticIndex(r *examination, d *db.DB) {
	if c.EmbeddingsURL == "" {
		return
	}
	index, embedded, err := parliament.FindIndex(r.a.ctx, d, c.EmbeddingsModel)
	switch {
	case !embedded: // nothing is embedded yet, or a table is missing, which another check reports
	case err != nil:
		r.warn("pgvector", err.Error(), "")
	case index.Used:
		r.good("pgvector", "has an index of the embeddings")
	case index.Remedy == "":
		r.good("pgvector", "is not used, search by meaning is in the process: "+index.Reason)
	default:
		r.warn("pgvector", "is not used, search by meaning is slower: "+index.Reason, index.Remedy)
	}
}

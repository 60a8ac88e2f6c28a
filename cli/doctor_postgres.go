package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// postgres looks at what a database can be set to that the program cannot work with, or works worse with.
func (c *doctorCmd) postgres(r *examination, d *db.DB) {
	s, err := d.Examine(r.a.ctx)
	if err != nil {
		r.warn("database settings", err.Error(), "")
		return
	}
	switch {
	case s.Standby:
		r.bad("writes", "the server is a standby, which takes no writes", "let DATABASE_URL lead to the primary: target_session_attrs=read-write with several hosts")
	case s.ReadOnly:
		r.bad("writes", "transactions are read-only (default_transaction_read_only)", fmt.Sprintf("ALTER ROLE %s RESET default_transaction_read_only, or the same for the database", s.Role))
	default:
		if err := d.CheckWritable(r.a.ctx); err != nil {
			r.bad("writes", err.Error(), "make room on the disk of Postgres; nothing is lost, and work goes on by itself")
		} else {
			r.good("writes", "are taken")
		}
	}
	if s.Schema == "" {
		r.bad("schema", "there is none in search_path ("+s.SearchPath+") that the role "+s.Role+" may use", "CREATE SCHEMA, or set another search_path in DATABASE_URL")
	} else if !s.MayCreate {
		r.warn("schema", fmt.Sprintf("the role %s may not create tables in %s, which `explorer migrate up` has to", s.Role, s.Schema), fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %[2]s, or migrate as its owner", s.Schema, s.Role))
	}
	for _, e := range s.Extensions {
		switch {
		case e.Schema == "" && !e.Available:
			r.bad("extension "+e.Name, "is not on the server", "install Postgres' contrib modules (Debian: in postgresql-NN itself; Fedora: postgresql-contrib)")
		case e.Schema == "":
			r.warn("extension "+e.Name, "is not in the database yet", "`explorer migrate up` creates it, if the role may; else have a superuser run CREATE EXTENSION "+e.Name)
		case !e.InPath:
			r.bad("extension "+e.Name, fmt.Sprintf("is in the schema %s, outside of search_path (%s)", e.Schema, s.SearchPath), fmt.Sprintf("ALTER EXTENSION %s SET SCHEMA %s, or add %s to search_path in DATABASE_URL", e.Name, s.Schema, e.Schema))
		}
	}
	for name, limit := range map[string]time.Duration{"statement_timeout": s.StatementTimeout, "lock_timeout": s.LockTimeout, "transaction_timeout": s.TransactionTimeout} {
		if limit > 0 && limit < time.Minute {
			r.warn("role", fmt.Sprintf("%s is %s for the role %s", name, limit, s.Role), "the program sets its own on its connections; other tools, such as psql, stop at it")
		}
	}
	if s.Encoding != "UTF8" {
		r.warn("encoding", "the database is "+s.Encoding+": texts with letters that it does not have cannot be stored", "create it anew: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0")
	}
	if !s.KnowsToronto {
		r.bad("time zones", "Postgres does not know America/Toronto: its time zone data is missing", "install tzdata on the machine of Postgres")
	}
	if _, err := time.LoadLocation("America/Toronto"); err != nil {
		r.bad("time zones", err.Error(), "")
	}
	c.meaning(r, d)
}

// meaning says whether searches by meaning have an index.
func (c *doctorCmd) meaning(r *examination, d *db.DB) {
	if c.EmbeddingsURL == "" {
		return
	}
	size, err := d.Queries().EmbeddingSize(r.a.ctx, c.EmbeddingsModel)
	if err != nil {
		return // nothing is embedded yet, or the tables are not there, which is told elsewhere
	}
	_, err = d.FindVectorIndex(r.a.ctx, c.EmbeddingsModel, int(size))
	var problem *db.VectorProblem
	switch {
	case err == nil:
		r.good("pgvector", "has an index of the embeddings")
	case !errors.As(err, &problem):
		r.warn("pgvector", err.Error(), "")
	case problem.Remedy == "":
		r.good("pgvector", "is not used, search by meaning is in the process: "+problem.Reason)
	default:
		r.warn("pgvector", "is not used, search by meaning is slower: "+problem.Reason, problem.Remedy)
	}
}

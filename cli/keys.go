package cli

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

type keysCmd struct {
	Create createKeyCmd `cmd:"" help:"Create an API key and print it. It is not shown again."`
	List   listKeysCmd  `cmd:"" default:"1" help:"List the API keys."`
	Revoke revokeKeyCmd `cmd:"" help:"Revoke an API key."`
}

// keyStore opens the database to manage keys. Access to the database is enough, so the first key needs no other key.
func (a *app) keyStore(f databaseFlags) (*db.DB, func(), error) {
	d, closeDB, err := a.database(f, true, 2)
	if err != nil {
		return nil, nil, err
	}
	if err := d.CheckMigrated(a.ctx); err != nil {
		closeDB()
		return nil, nil, err
	}
	return d, closeDB, nil
}

// operator returns who runs the command, for the audit log. Access to the database is the proof of identity.
func operator() string { return "cli " + whoami() }

type createKeyCmd struct {
	databaseFlags
	Name    string        `arg:"" help:"Name of the key: its owner or purpose."`
	Scope   string        `required:"" enum:"read,operate,admin" help:"The scope of the key: read, operate (which includes read) or admin (which includes both)."`
	Expires time.Duration `help:"How long the key is valid, e.g. 2160h. Default: it does not expire." placeholder:"DURATION"`
	JSON    bool          `help:"Print JSON."`
}

// Run creates a key.
func (c *createKeyCmd) Run(a *app) error {
	if len(c.Name) > 100 || c.Name == "" || db.CleanText(c.Name) != c.Name {
		return usage("name %q: want 1 to 100 characters", c.Name)
	}
	if c.Expires < 0 {
		return usage("--expires %s: want more than 0", c.Expires)
	}
	d, closeDB, err := a.keyStore(c.databaseFlags)
	if err != nil {
		return err
	}
	defer closeDB()
	var expires *time.Time
	if c.Expires > 0 {
		at := time.Now().UTC().Add(c.Expires).Truncate(time.Second)
		expires = &at
	}
	var row access.Key
	var key string
	err = d.Tx(a.ctx, func(tx pgx.Tx) error {
		var err error
		if row, key, err = access.CreateKey(a.ctx, tx, c.Name, access.Scope(c.Scope), expires, operator()); err != nil {
			return err
		}
		return access.Note(a.ctx, tx, operator(), "createKey", "/keys", &row.ID)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return encodeJSON(a.out, api.NewKey{ID: row.ID, Name: row.Name, Prefix: row.Prefix, Scope: api.Scope(row.Scope),
			CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt, Key: key})
	}
	printf(a.err, "Key %s (%s), scope %s, expires %s. It is shown only once:\n", row.Name, row.ID,
		row.Scope, when(expires))
	err = writeLine(a.out, key)
	return err
}

type listKeysCmd struct {
	databaseFlags
	JSON bool `help:"Print JSON."`
}

// Run lists keys.
func (c *listKeysCmd) Run(a *app) error {
	d, closeDB, err := a.keyStore(c.databaseFlags)
	if err != nil {
		return err
	}
	defer closeDB()
	keys, err := access.Keys(a.ctx, d.Durable())
	if err != nil {
		return err
	}
	if c.JSON {
		list := api.KeyList{Items: []api.Key{}}
		for _, k := range keys {
			list.Items = append(list.Items, api.Key{ID: k.ID, Name: k.Name, Prefix: k.Prefix, Scope: api.Scope(k.Scope),
				CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt,
				RevokedAt: k.RevokedAt})
		}
		return encodeJSON(a.out, list)
	}
	w := newTable(a.out, "ID", "NAME", "KEY", "SCOPE", "STATE", "CREATED", "EXPIRES", "LAST USED", "BY")
	for _, k := range keys {
		state := "good"
		switch {
		case k.RevokedAt != nil:
			state = "revoked"
		case k.ExpiresAt != nil && k.ExpiresAt.Before(time.Now()):
			state = "expired"
		}
		w.row(k.ID, k.Name, k.Prefix+"...", k.Scope, state, when(&k.CreatedAt), when(k.ExpiresAt),
			when(k.LastUsedAt), k.CreatedBy)
	}
	return w.flush()
}

type revokeKeyCmd struct {
	databaseFlags
	ID string `arg:"" help:"The key's id, as listed."`
}

// Run revokes a key.
func (c *revokeKeyCmd) Run(a *app) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return usage("%q is no id of a key: `explorer keys list` has them", c.ID)
	}
	d, closeDB, err := a.keyStore(c.databaseFlags)
	if err != nil {
		return err
	}
	defer closeDB()
	var row access.Key
	err = d.Tx(a.ctx, func(tx pgx.Tx) error {
		var err error
		if row, err = access.RevokeKey(a.ctx, tx, id); err != nil {
			return err
		}
		return access.Note(a.ctx, tx, operator(), "revokeKey", "/keys/"+id.String(), &id)
	})
	if errors.Is(err, access.ErrNotFound) {
		return usage("there is no key %s: `explorer keys list` has them", id)
	}
	if err != nil {
		return err
	}
	err = writef(a.out, "Key %s (%s...) is revoked; servers know within two seconds.\n", row.Name, row.Prefix)
	return err
}

type auditCmd struct {
	serverFlags
	Limit     int    `default:"50" help:"Maximum number of entries to list."`
	Actor     string `help:"Only entries of this actor, e.g. \"key dashboard\"."`
	Operation string `help:"Only entries of this operation, e.g. startJobRun."`
}

// Run lists entries of the audit log.
func (c *auditCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	p := &api.ListAuditLogParams{Limit: &c.Limit}
	if c.Actor != "" {
		p.Actor = &c.Actor
	}
	if c.Operation != "" {
		p.Operation = &c.Operation
	}
	resp, err := cl.ListAuditLogWithResponse(a.ctx, p)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON200 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	w := newTable(a.out, "AT", "WHO", "FROM", "WHAT", "PATH", "ANSWER", "SAYS IT IS")
	for _, e := range resp.JSON200.Items {
		w.row(when(&e.At), e.Actor, e.RemoteAddress, e.Operation, e.Method+" "+e.Path, ending(e), claims(e))
	}
	return w.flush()
}

// claims returns what the sender of an entry said about itself. It is not verified.
func claims(e api.AuditEntry) string {
	switch {
	case e.ClaimedName != nil && e.Client != nil:
		return *e.ClaimedName + ", " + *e.Client
	case e.ClaimedName != nil:
		return *e.ClaimedName
	}
	return text(e.Client)
}

// ending returns the outcome of a request.
func ending(e api.AuditEntry) string {
	status := strconv.Itoa(e.Status)
	if e.Status == 0 {
		status = "begun; how it ended was not recorded"
	}
	if more := deref(e.More); more > 0 {
		status += fmt.Sprintf(", and %d more refused", more)
	}
	return status
}

package cli

import (
	"errors"
	"net/url"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

type sessionsCmd struct {
	List listSessionsCmd `cmd:"" default:"1" help:"List the sessions."`
	End  endSessionsCmd  `cmd:"" help:"End a session, or all sessions of a person or a key."`
}

type listSessionsCmd struct {
	databaseFlags
	Person string `help:"Only sessions of this person: the subject, as listed." placeholder:"SUBJECT"`
	Key    string `help:"Only sessions that were begun with this key." placeholder:"ID"`
	Limit  int    `default:"500" help:"Maximum number of entries to list."`
	JSON   bool   `help:"Print JSON."`
}

// Run lists sessions.
func (c *listSessionsCmd) Run(a *app) error {
	whose, err := whoseSessions(c.Person, "", c.Key)
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return usage("--limit %d: want 1 or more", c.Limit)
	}
	d, closeDB, err := a.keyStore(c.databaseFlags)
	if err != nil {
		return err
	}
	defer closeDB()
	rows, err := access.Sessions(a.ctx, d.Durable(), whose, nil, min(c.Limit, 100_000))
	if err != nil {
		return err
	}
	if c.JSON {
		list := api.UserSessionList{Items: []api.UserSession{}}
		for _, s := range rows {
			list.Items = append(list.Items, api.UserSession{
				ID: s.ID, Kind: api.SignInMethod(s.Kind), Name: s.Name, Subject: given(s.Subject), Issuer: given(s.Issuer),
				KeyID: s.KeyID, Scope: api.Scope(s.Scope),
				BeganAt: s.BeganAt, SeenAt: s.SeenAt, ExpiresAt: s.ExpiresAt, Address: s.Address, Client: s.Client,
			})
		}
		return encodeJSON(a.out, list)
	}
	w := newTable(a.out, "ID", "NAME", "PERSON OR KEY", "SCOPE", "BEGAN", "LAST SEEN", "EXPIRES", "FROM", "CLIENT")
	for _, s := range rows {
		holder := s.Subject
		if s.KeyID != nil {
			holder = s.KeyID.String()
		}
		w.row(s.ID, s.Name, holder, s.Scope, when(&s.BeganAt), when(&s.SeenAt), when(&s.ExpiresAt), s.Address, s.Client)
	}
	return w.flush()
}

type endSessionsCmd struct {
	databaseFlags
	ID     string `arg:"" optional:"" help:"The session's id, as listed."`
	Person string `help:"End all sessions of this person: the subject, as listed." placeholder:"SUBJECT"`
	Issuer string `help:"With --person: only sessions of this identity provider." placeholder:"URL"`
	Key    string `help:"End all sessions that were begun with this key." placeholder:"ID"`
}

// Run ends sessions.
func (c *endSessionsCmd) Run(a *app) error {
	chosen := 0
	for _, s := range []string{c.ID, c.Person, c.Key} {
		if s != "" {
			chosen++
		}
	}
	if chosen != 1 {
		return usage("want the id of a session, --person or --key: `explorer sessions list` has them")
	}
	if c.Issuer != "" && c.Person == "" {
		return usage("--issuer goes with --person")
	}
	whose, err := whoseSessions(c.Person, c.Issuer, c.Key)
	if err != nil {
		return err
	}
	var id uuid.UUID
	if c.ID != "" {
		if id, err = uuid.Parse(c.ID); err != nil {
			return usage("%q is no id of a session: `explorer sessions list` has them", c.ID)
		}
	}
	d, closeDB, err := a.keyStore(c.databaseFlags)
	if err != nil {
		return err
	}
	defer closeDB()
	if c.ID != "" {
		return endSession(a, d, id)
	}
	return c.endAll(a, d, whose)
}

// endSession ends one session.
func endSession(a *app, d *db.DB, id uuid.UUID) error {
	var row access.Session
	err := d.Tx(a.ctx, func(tx pgx.Tx) error {
		var err error
		if row, err = access.EndSession(a.ctx, tx, id); err != nil {
			return err
		}
		return access.Note(a.ctx, tx, operator(), "endSession", "/sessions/"+id.String(), row.KeyID)
	})
	if errors.Is(err, access.ErrNoSession) {
		return usage("there is no session %s: `explorer sessions list` has them", id)
	}
	if err != nil {
		return err
	}
	return writef(a.out, "The session of %s has ended; servers know within two seconds.\n", row.Name)
}

// endAll ends all sessions of a person or a key.
func (c *endSessionsCmd) endAll(a *app, d *db.DB, whose access.Whose) error {
	path := "/sessions?subject=" + url.QueryEscape(c.Person)
	if c.Issuer != "" {
		path += "&issuer=" + url.QueryEscape(c.Issuer)
	}
	if whose.KeyID != nil {
		path = "/sessions?key_id=" + whose.KeyID.String()
	}
	var n int
	err := d.Tx(a.ctx, func(tx pgx.Tx) error {
		var err error
		if n, err = access.EndSessions(a.ctx, tx, whose); err != nil {
			return err
		}
		return access.Note(a.ctx, tx, operator(), "endSessions", path, whose.KeyID)
	})
	if err != nil {
		return err
	}
	return writef(a.out, "%d sessions have ended; servers know within two seconds.\n", n)
}

func whoseSessions(person, issuer, key string) (access.Whose, error) {
	whose := access.Whose{Subject: given(person), Issuer: given(issuer)}
	if key != "" {
		id, err := uuid.Parse(key)
		if err != nil {
			return whose, usage("%q is no id of a key: `explorer keys list` has them", key)
		}
		whose.KeyID = &id
	}
	return whose, nil
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

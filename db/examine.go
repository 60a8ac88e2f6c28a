package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Settings are the settings of a server, a database and a role that the program depends on.
type Settings struct {
	// Standby says that the server is a replica; ReadOnly, that transactions are read-only unless they say otherwise.
	Standby, ReadOnly bool
	// Role is who is connected, SearchPath the schemas it looks in and Schema the first of them that is there; empty:
	// none.
	Role, SearchPath, Schema string
	// MayCreate reports whether the role may create tables in Schema.
	MayCreate bool
	// StatementTimeout, LockTimeout and TransactionTimeout are the role's own, which a new connection of any other program
	// has; 0: none.
	StatementTimeout, LockTimeout, TransactionTimeout time.Duration
	// Encoding is the database's.
	Encoding string
	// KnowsToronto reports whether the server has the time zone America/Toronto.
	KnowsToronto bool
	// Extensions are those that the program needs.
	Extensions []ExtensionState
}

// ExtensionState reports whether an extension can be used.
type ExtensionState struct {
	Name      string
	Available bool   // on the server
	Schema    string // in the database; empty: it is not in it
	InPath    bool   // found by search_path
}

// VersionAndTime returns the version of the server, such as "16.4", and the time by its clock.
func (d *DB) VersionAndTime(ctx context.Context) (version string, now time.Time, err error) {
	err = d.Pool.QueryRow(ctx, `SELECT current_setting('server_version'), clock_timestamp()`).Scan(&version, &now)
	return version, now, err
}

// Examine reads the settings of the server, the database and the role.
func (d *DB) Examine(ctx context.Context) (*Settings, error) {
	var s Settings
	var statement, lock, transaction int64
	// The role's own limits are in the catalog: the program's connections have others. The settings of a role in a
	// database come before those of the role, and these before those of the database.
	err := d.Pool.QueryRow(ctx, `
WITH own AS (
    SELECT DISTINCT ON (split_part(c, '=', 1)) split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
    FROM pg_db_role_setting s, unnest(s.setconfig) AS c
    WHERE s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY split_part(c, '=', 1), s.setrole <> 0 DESC, s.setdatabase <> 0 DESC
), limits AS (
    SELECT w.name, coalesce(own.value, p.reset_val, '0') AS value
    FROM unnest(ARRAY['statement_timeout', 'lock_timeout', 'transaction_timeout']) AS w (name)
    LEFT JOIN own ON own.name = w.name
    LEFT JOIN pg_settings p ON p.name = w.name
        AND p.source IN ('configuration file', 'command line', 'environment variable')
), millis AS (
    -- 500, 500ms, 5s, 5min, 1h or 1d
    SELECT name, (coalesce((regexp_match(value, '^\s*(\d+)'))[1], '0')::bigint
        * CASE lower((regexp_match(value, '([a-z]*)\s*$'))[1])
            WHEN 's' THEN 1000 WHEN 'min' THEN 60000 WHEN 'h' THEN 3600000 WHEN 'd' THEN 86400000 ELSE 1
        END)::bigint AS n
    FROM limits
)
SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on', current_user::text,
       current_setting('search_path'), coalesce(current_schema(), '')::text,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       (SELECT n FROM millis WHERE name = 'statement_timeout'),
       (SELECT n FROM millis WHERE name = 'lock_timeout'),
       (SELECT n FROM millis WHERE name = 'transaction_timeout'),
       getdatabaseencoding()::text, EXISTS (SELECT FROM pg_timezone_names WHERE name = 'America/Toronto')`).Scan(
		&s.Standby, &s.ReadOnly, &s.Role, &s.SearchPath, &s.Schema, &s.MayCreate, &statement, &lock, &transaction,
		&s.Encoding, &s.KnowsToronto)
	if err != nil {
		return nil, err
	}
	s.StatementTimeout, s.LockTimeout, s.TransactionTimeout = time.Duration(statement)*time.Millisecond,
		time.Duration(lock)*time.Millisecond, time.Duration(transaction)*time.Millisecond
	rows, err := d.Pool.Query(ctx, `
SELECT w.name, EXISTS (SELECT FROM pg_available_extensions a WHERE a.name = w.name), coalesce(n.nspname, '')::text,
    coalesce(n.nspname = ANY (current_schemas(true)), false)
FROM unnest($1::text[]) WITH ORDINALITY AS w (name, place)
LEFT JOIN pg_extension e ON e.extname = w.name
LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
ORDER BY w.place`, extensions)
	if err != nil {
		return nil, err
	}
	s.Extensions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ExtensionState])
	return &s, err
}

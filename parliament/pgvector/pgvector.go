// Package pgvector builds and searches an index of the bills' embeddings with the Postgres extension pgvector. Search
// works without the extension: the process then compares all embeddings itself. Begin reading at Find, Ensure and
// Index.Nearest.
package pgvector

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parliament-explorer/parliament-explorer/db"
)

const (
	// searchCandidates is the number of candidates that a search keeps, at most 1,000. With random vectors, which are the
	// hardest to search, it finds 98 % of the nearest twenty among 18,000.
	searchCandidates = 600
	// indexTimeout is the time limit for building an index.
	indexTimeout = time.Hour
	// unlockTimeout is the time limit for releasing the lock of a build. The lock also ends with its connection.
	unlockTimeout = 5 * time.Second
)

// Index is a pgvector index of the embeddings of one model and size.
type Index struct {
	model     string
	size      int
	schema    string // of the extension, quoted
	kind      string // the type that is indexed
	continues bool   // the index can be asked on until a filter has left enough
}

// extension is the state of pgvector for the current role.
type extension struct {
	Schema  string
	Version string
	Usable  bool // the role may use the schema
}

// Problem says why pgvector is not used, in words for an operator. Search then compares all embeddings, which is exact.
type Problem struct {
	// Reason is the cause.
	Reason string
	// Remedy is what to do about it; empty if nothing is wrong.
	Remedy string
	// Pending reports that the next update of the embeddings solves the problem.
	Pending bool
}

// Error implements error.
func (p *Problem) Error() string { return p.Reason }

var (
	errNoVector = &Problem{Reason: "the server does not have the extension pgvector"}
	errNoIndex  = &Problem{
		Reason: "the embeddings have no index of pgvector yet", Remedy: "materialize update_embeddings", Pending: true,
	}
	errNotMade = &Problem{
		Reason: "pgvector is on the server, but the extension is not in the database",
		Remedy: "materialize update_embeddings, which creates it if the role is allowed to; else have a superuser run " +
			"CREATE EXTENSION vector in the database",
		Pending: true,
	}
)

// findVector finds the extension. The error is a *Problem if it cannot be used.
func findVector(ctx context.Context, on db.Querier) (*extension, error) {
	var e extension
	err := on.QueryRow(ctx, `SELECT n.nspname::text, e.extversion, has_schema_privilege(n.oid, 'USAGE')
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'vector'`).Scan(&e.Schema, &e.Version, &e.Usable)
	if errors.Is(err, pgx.ErrNoRows) {
		var available bool
		err := on.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')`).Scan(&available)
		switch {
		case err != nil:
			return nil, err
		case available:
			return nil, errNotMade
		}
		return nil, errNoVector
	}
	switch {
	case err != nil:
		return nil, err
	case !e.Usable:
		return nil, &Problem{
			Reason: "pgvector is in the schema " + e.Schema + ", which the role may not use",
			Remedy: "GRANT USAGE ON SCHEMA " + pgx.Identifier{e.Schema}.Sanitize() + " to the role",
		}
	case e.older(0, 5):
		return nil, &Problem{
			Reason: "pgvector " + e.Version + " has no HNSW index",
			Remedy: "install pgvector 0.8 or newer, then ALTER EXTENSION vector UPDATE",
		}
	}
	return &e, nil
}

// older reports whether the extension is older than a version.
func (e *extension) older(major, minor int) bool {
	parts := strings.SplitN(e.Version+".0.0", ".", 3)
	x, _ := strconv.Atoi(parts[0])
	y, _ := strconv.Atoi(parts[1])
	return x < major || x == major && y < minor
}

// index describes the index of a model's embeddings, whether it exists or not.
func (e *extension) index(model string, size int) (*Index, error) {
	ix := &Index{
		model: model, size: size, schema: pgx.Identifier{e.Schema}.Sanitize(), kind: "vector", continues: !e.older(0, 8),
	}
	switch {
	case size > 4000:
		return nil, &Problem{
			Reason: fmt.Sprintf("embeddings of %d numbers cannot be indexed: pgvector can index 4,000", size),
		}
	case size > 2000 && e.older(0, 7):
		return nil, &Problem{
			Reason: fmt.Sprintf("embeddings of %d numbers cannot be indexed: pgvector %s can index 2,000", size, e.Version),
			Remedy: "install pgvector 0.8 or newer, then ALTER EXTENSION vector UPDATE",
		}
	case size > 2000:
		ix.kind = "halfvec"
	}
	return ix, nil
}

func (ix *Index) name() string {
	sum := sha256.Sum256([]byte(ix.model))
	return fmt.Sprintf("%s%s_%d", db.VectorIndexPrefix, hex.EncodeToString(sum[:6]), ix.size)
}

// cast converts an expression to the indexed type. It names the extension's schema, which may not be in search_path.
func (ix *Index) cast(expression string) string {
	return fmt.Sprintf("%s::%s.%s(%d)", expression, ix.schema, ix.kind, ix.size)
}

// rows returns the index's condition. A query must repeat it word for word, so that Postgres uses the index.
func (ix *Index) rows() string {
	return fmt.Sprintf("model = %s AND cardinality(embedding) = %d", db.QuoteLiteral(ix.model), ix.size)
}

// distance returns the distance from the embedding $1. Embeddings have length one, so the inner product orders them as
// the angle does.
func (ix *Index) distance() string {
	return fmt.Sprintf("%s OPERATOR(%s.<#>) %s", ix.cast("embedding"), ix.schema, ix.cast("$1::real[]"))
}

// Find finds the index of a model's embeddings. The error is a *Problem if there is no usable index.
func Find(ctx context.Context, d *db.DB, model string, size int) (*Index, error) {
	e, err := findVector(ctx, d.Pool)
	if err != nil {
		return nil, err
	}
	ix, err := e.index(model, size)
	if err != nil {
		return nil, err
	}
	state, err := indexes(ctx, d.Pool)
	if err != nil {
		return nil, err
	}
	if !state[ix.name()] {
		return nil, errNoIndex
	}
	return ix, nil
}

// indexes returns the names of the pgvector indexes, and whether each is valid.
func indexes(ctx context.Context, on db.Querier) (map[string]bool, error) {
	rows, err := on.Query(ctx, `SELECT c.relname::text, i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'embeddings'::regclass AND starts_with(c.relname::text, $1)`, db.VectorIndexPrefix)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	var name string
	var valid bool
	_, err = pgx.ForEachRow(rows, []any{&name, &valid}, func() error { found[name] = valid; return nil })
	return found, err
}

// Ensure builds the index of a model's embeddings if pgvector is available, and drops indexes of other models and
// sizes. Reads and writes continue meanwhile. It creates the extension if the server has it and the role is allowed to.
// made reports that the index is new. The error is a *Problem if there can be no index.
func Ensure(ctx context.Context, d *db.DB, model string, size int) (made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	pooled, err := d.Direct.Acquire(ctx)
	if err != nil {
		return false, err
	}
	// A connection of its own: what is set for it, and the lock, end with it.
	conn := pooled.Hijack()
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to lose
	if err := prepareBuild(ctx, conn); err != nil {
		return false, err
	}
	var alone bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, db.VectorIndexLock).Scan(&alone); err != nil {
		return false, err
	}
	if !alone {
		return false, &Problem{Reason: "another process is building the index", Pending: true}
	}
	defer func() { // else the next caller could come before the server notices that the connection has gone
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		_, _ = conn.Exec(unlock, `SELECT pg_advisory_unlock($1)`, db.VectorIndexLock)
	}()
	var wanted *Index
	e, problem := findVector(ctx, conn)
	if errors.Is(problem, errNotMade) {
		if problem = createVector(ctx, conn); problem == nil {
			e, problem = findVector(ctx, conn)
		}
	}
	if problem == nil && size > 0 {
		wanted, problem = e.index(model, size)
	}
	var known *Problem
	if problem != nil && !errors.As(problem, &known) {
		return false, problem
	}
	have, err := indexes(ctx, conn)
	if err != nil {
		return false, err
	}
	for name, valid := range have {
		if wanted != nil && name == wanted.name() && valid {
			continue
		}
		if _, err := conn.Exec(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+pgx.Identifier{name}.Sanitize()); err != nil {
			return false, indexProblem(err)
		}
	}
	if wanted == nil || have[wanted.name()] {
		return false, problem
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`CREATE INDEX CONCURRENTLY %s ON embeddings
USING hnsw ((%s) %s.%s_ip_ops) WITH (m = 16, ef_construction = 128) WHERE %s`,
		pgx.Identifier{wanted.name()}.Sanitize(), wanted.cast("embedding"), wanted.schema, wanted.kind, wanted.rows()))
	if err != nil {
		return false, indexProblem(err)
	}
	return true, nil
}

// prepareBuild sets up a connection for building an index: without timeouts, and with at least 256 MB of memory.
// Parallel workers are off, because they need more shared memory than containers have.
func prepareBuild(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false),
    set_config('client_min_messages', 'warning', false), set_config('max_parallel_maintenance_workers', '0', false)`)
	if err != nil {
		return fmt.Errorf("prepare to build an index: %w", err)
	}
	_, err = conn.Exec(ctx, `SELECT set_config('maintenance_work_mem', greatest(setting::bigint, 262144) || 'kB', false)
FROM pg_settings WHERE name = 'maintenance_work_mem'`)
	if err != nil {
		return fmt.Errorf("set the memory for building an index: %w", err)
	}
	return nil
}

// EnsureAll builds the index of all embeddings if pgvector is available, as after a restore. Searches find the same
// bills without it.
func EnsureAll(ctx context.Context, d *db.DB) error {
	rows, err := d.Pool.Query(
		ctx, `SELECT DISTINCT ON (model) model, cardinality(embedding) FROM embeddings ORDER BY model`,
	)
	if err != nil {
		return err
	}
	var model string
	var size int
	models := map[string]int{}
	if _, err := pgx.ForEachRow(rows, []any{&model, &size}, func() error {
		models[model] = size
		return nil
	}); err != nil {
		return err
	}
	if len(models) != 1 { // of several, only the next update of the embeddings knows which one is used
		return nil
	}
	for model, size := range models {
		if _, err := Ensure(ctx, d, model, size); ctx.Err() != nil {
			return err
		}
	}
	return nil
}

func createVector(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS vector`)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && !db.Unavailable(err) {
		return &Problem{
			Reason: "pgvector is on the server, but the extension cannot be created: " + pgErr.Message,
			Remedy: "have a superuser run CREATE EXTENSION vector in it",
		}
	}
	return err
}

// indexProblem turns a missing privilege into a *Problem, and returns other errors unchanged.
func indexProblem(err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == pgerrcode.InsufficientPrivilege {
		return &Problem{
			Reason: "the role cannot make an index on embeddings: " + pgErr.Message,
			Remedy: "let the owner of the tables run the worker",
		}
	}
	return err
}

// NearBill is a bill and its distance. A smaller distance is nearer.
type NearBill struct {
	BillID   string
	Distance float64
}

// exactly is up to how many bills are compared one by one rather than searched in the index.
const exactly = 1000

// Nearest returns the bills whose embeddings are nearest to a vector, the nearest first. If only is not nil, the result
// is limited to these bills. enough is false if the index may have missed bills; then search in another way. It is
// long, because it builds, runs and reads one query.
func (ix *Index) Nearest(
	ctx context.Context, d *db.DB, to []float32, limit int, only []string,
) (found []NearBill, enough bool, err error) {
	if only != nil && len(only) == 0 {
		return nil, true, nil
	}
	byOne := only != nil && len(only) <= exactly
	if only != nil && !byOne && !ix.continues {
		return nil, false, nil
	}
	settings := [][2]string{
		{"enable_seqscan", "off"}, {"enable_sort", "off"},
		{"hnsw.ef_search", strconv.Itoa(min(1000, max(searchCandidates, 2*limit)))},
	}
	if ix.continues {
		settings = append(settings, [2]string{"hnsw.iterative_scan", "relaxed_order"})
	}
	args := []any{pgx.QueryExecModeCacheDescribe, to}
	condition, rows := ix.rows(), 2*limit // a bill has an embedding in each language
	if only != nil {
		args = append(args, only)
		condition += " AND bill_id = ANY($2::text[])"
	}
	sql := fmt.Sprintf("SELECT bill_id, %s AS distance FROM embeddings WHERE %s", ix.distance(), condition)
	if !byOne {
		sql += fmt.Sprintf(" ORDER BY distance LIMIT %d", rows)
	}
	var all []NearBill
	err = d.ReadTx(ctx, func(tx pgx.Tx) error {
		if !byOne {
			names, values := []string{}, []string{}
			for _, s := range settings {
				names, values = append(names, s[0]), append(values, s[1])
			}
			if _, err := tx.Exec(
				ctx, `SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[]) AS s (name, value)`, names, values,
			); err != nil {
				return err
			}
		}
		r, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(r, pgx.RowToStructByPos[NearBill])
		return err
	})
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(all, func(a, b NearBill) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), strings.Compare(a.BillID, b.BillID))
	})
	seen := make(map[string]bool, len(all))
	for _, b := range all {
		if !seen[b.BillID] && len(found) < limit {
			seen[b.BillID] = true
			found = append(found, b)
		}
	}
	return found, byOne || len(all) >= rows, nil
}

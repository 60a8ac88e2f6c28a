package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
)

// ErrNotFound means that there is no such key.
var ErrNotFound = errors.New("no such key")

// keyMark is the prefix of every key, so that scanners of source code can find a leaked one.
const keyMark = "pex_"

// Key is an API key without its secret.
type Key struct {
	ID   uuid.UUID
	Name string
	// Prefix is the beginning of the key. It is safe to show.
	Prefix     string
	Scope      Scope
	CreatedBy  string
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil if it never expires
	LastUsedAt *time.Time
	RevokedAt  *time.Time
}

func keyOf(row sql.ApiKey) Key {
	return Key{
		ID: row.ID, Name: row.Name, Prefix: row.Prefix, Scope: Scope(row.Scope), CreatedBy: row.CreatedBy,
		CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt, LastUsedAt: row.LastUsedAt, RevokedAt: row.RevokedAt,
	}
}

// CreateKey stores a new key and returns it with its secret, of which only the hash is stored. The key never expires if
// expires is nil.
func CreateKey(
	ctx context.Context, on db.Querier, name string, scope Scope, expires *time.Time, by string,
) (Key, string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Key{}, "", err
	}
	prefix := keyMark + rand.Text()[:8]
	key := prefix + "_" + rand.Text()
	k := Key{
		ID: id, Name: name, Prefix: prefix, Scope: scope, CreatedBy: by,
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond), ExpiresAt: expires,
	}
	err = sql.New(on).InsertKey(ctx, sql.InsertKeyParams{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Hash: hashKey(key), Scope: string(k.Scope), CreatedBy: by,
		CreatedAt: k.CreatedAt, ExpiresAt: expires,
	})
	if err != nil {
		return Key{}, "", fmt.Errorf("store key %s: %w", name, err)
	}
	return k, key, nil
}

// Keys lists all keys, newest first.
func Keys(ctx context.Context, on db.Querier) ([]Key, error) {
	rows, err := sql.New(on).ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	keys := make([]Key, len(rows))
	for i, row := range rows {
		keys[i] = keyOf(row)
	}
	return keys, nil
}

// RevokeKey revokes a key. The error is ErrNotFound if there is no such key. Revoking a key twice keeps the first time.
func RevokeKey(ctx context.Context, on db.Querier, id uuid.UUID) (Key, error) {
	row, err := revokeKey(ctx, sql.New(on), id)
	return keyOf(row), err
}

func revokeKey(ctx context.Context, q *sql.Queries, id uuid.UUID) (sql.ApiKey, error) {
	row, err := q.RevokeKey(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return row, fmt.Errorf("key %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return row, fmt.Errorf("revoke key %s: %w", id, err)
	}
	return row, nil
}

// Keys lists all keys, newest first.
func (c *Control) Keys(ctx context.Context) ([]Key, error) { return Keys(ctx, c.cfg.DB.Durable()) }

// CreateKey stores a new key, as the function CreateKey does, in the server's database.
func (c *Control) CreateKey(
	ctx context.Context, name string, scope Scope, expires *time.Time, by string,
) (Key, string, error) {
	return CreateKey(ctx, c.cfg.DB.Durable(), name, scope, expires, by)
}

// RevokeKey revokes a key, on this server at once and on others within two seconds.
func (c *Control) RevokeKey(ctx context.Context, id uuid.UUID) (Key, error) {
	row, err := revokeKey(ctx, c.q, id)
	if err == nil {
		c.known.remove(string(row.Hash))
		c.known.remove(id.String())
		c.watch.checkNow()
	}
	return keyOf(row), err
}

func hashKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

func (c *Control) byKey(ctx context.Context, key string) (*Identity, error) {
	if !strings.HasPrefix(key, keyMark) || len(key) > 200 {
		return nil, &refusal{"this is no API key: one begins with " + keyMark}
	}
	hash := hashKey(key)
	return c.identityOf(
		ctx, string(hash), func(ctx context.Context) (sql.ApiKey, error) { return c.q.KeyByHash(ctx, hash) },
	)
}

func (c *Control) byKeyID(ctx context.Context, id uuid.UUID) (*Identity, error) {
	return c.identityOf(ctx, id.String(), func(ctx context.Context) (sql.ApiKey, error) { return c.q.KeyByID(ctx, id) })
}

func (c *Control) identityOf(
	ctx context.Context, name string, find func(context.Context) (sql.ApiKey, error),
) (*Identity, error) {
	row, ok := c.known.get(name)
	if !ok {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var err error
		if row, err = find(ctx); errors.Is(err, pgx.ErrNoRows) {
			return nil, &refusal{"there is no such API key"}
		}
		if err != nil {
			return nil, fmt.Errorf("look up the key: %w", err)
		}
		c.known.add(name, row)
		if err := c.relaxed.KeyUsed(ctx, row.ID); err != nil {
			c.cfg.Logger.Warn("the last use of a key could not be recorded", "error", err)
		}
	}
	switch {
	case row.RevokedAt != nil:
		return nil, &refusal{"the API key " + row.Prefix + "... was revoked"}
	case row.ExpiresAt != nil && !row.ExpiresAt.After(time.Now()):
		return nil, &refusal{"the API key " + row.Prefix + "... has expired"}
	}
	return &Identity{
		Kind: KindKey, Name: row.Name, Scope: Scope(row.Scope), KeyID: &row.ID, ExpiresAt: row.ExpiresAt,
	}, nil
}

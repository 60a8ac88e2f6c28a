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
)

// ErrNotFound says that there is no such key.
var ErrNotFound = errors.New("no such key")

// keyMark begins every key, so that scanners of source code can find one that got lost.
const keyMark = "pex_"

// CreateKey makes a key and gives it: only its hash is kept. expires nil: it does not end.
func CreateKey(ctx context.Context, q *db.Queries, name string, scope Scope, expires *time.Time, by string) (db.ApiKey, string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.ApiKey{}, "", err
	}
	prefix := keyMark + rand.Text()[:8]
	key := prefix + "_" + rand.Text()
	row := db.ApiKey{ID: id, Name: name, Prefix: prefix, Hash: hashKey(key), Scope: string(scope), CreatedBy: by, CreatedAt: time.Now().UTC().Truncate(time.Microsecond), ExpiresAt: expires}
	err = q.InsertKey(ctx, db.InsertKeyParams{ID: row.ID, Name: row.Name, Prefix: row.Prefix, Hash: row.Hash, Scope: row.Scope, CreatedBy: by, CreatedAt: row.CreatedAt, ExpiresAt: expires})
	return row, key, err
}

// RevokeKey ends a key; ErrNotFound if there is none.
func RevokeKey(ctx context.Context, q *db.Queries, id uuid.UUID) (db.ApiKey, error) {
	row, err := q.RevokeKey(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return row, fmt.Errorf("key %s: %w", id, ErrNotFound)
	}
	return row, err
}

// Keys lists all keys, newest first.
func (c *Control) Keys(ctx context.Context) ([]db.ApiKey, error) { return c.q.ListKeys(ctx) }

// CreateKey makes a key.
func (c *Control) CreateKey(ctx context.Context, name string, scope Scope, expires *time.Time, by string) (db.ApiKey, string, error) {
	return CreateKey(ctx, c.q, name, scope, expires, by)
}

// RevokeKey ends a key, here at once and on other servers within two seconds.
func (c *Control) RevokeKey(ctx context.Context, id uuid.UUID) (db.ApiKey, error) {
	row, err := RevokeKey(ctx, c.q, id)
	if err == nil {
		c.known.Remove(string(row.Hash))
		c.known.Remove(id.String())
		c.watch.poke()
	}
	return row, err
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
	return c.identityOf(ctx, string(hash), func(ctx context.Context) (db.ApiKey, error) { return c.q.KeyByHash(ctx, hash) })
}

func (c *Control) byKeyID(ctx context.Context, id uuid.UUID) (*Identity, error) {
	return c.identityOf(ctx, id.String(), func(ctx context.Context) (db.ApiKey, error) { return c.q.KeyByID(ctx, id) })
}

func (c *Control) identityOf(ctx context.Context, name string, find func(context.Context) (db.ApiKey, error)) (*Identity, error) {
	row, ok := c.known.Get(name)
	if !ok {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var err error
		if row, err = find(ctx); errors.Is(err, pgx.ErrNoRows) {
			return nil, &refusal{"there is no such API key"}
		}
		if err != nil {
			return nil, fmt.Errorf("look for the key: %w", err)
		}
		c.known.Add(name, row)
		if err := c.relaxed.KeyUsed(ctx, row.ID); err != nil {
			c.cfg.Logger.Warn("when a key was last used could not be noted", "error", err)
		}
	}
	switch {
	case row.RevokedAt != nil:
		return nil, &refusal{"the API key " + row.Prefix + "... was revoked"}
	case row.ExpiresAt != nil && !row.ExpiresAt.After(time.Now()):
		return nil, &refusal{"the API key " + row.Prefix + "... has expired"}
	}
	return &Identity{Kind: KindKey, Name: row.Name, Scope: Scope(row.Scope), KeyID: &row.ID, ExpiresAt: row.ExpiresAt}, nil
}

package db

import (
	"errors"
	"io"
	"net"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

// Unavailable reports whether an error means that the database cannot be used at the moment: it does not answer, it is
// starting or stopping, its disk is full, all its connections are in use, it aborted the transaction because of another
// one, or a lock or statement timed out. The same statement may succeed later. All other errors are about the
// statement.
func Unavailable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return pgconn.SafeToRetry(err)
	}
	if full(err) {
		return true
	}
	switch pg.Code {
	case pgerrcode.QueryCanceled, pgerrcode.LockNotAvailable, pgerrcode.IdleInTransactionSessionTimeout,
		pgerrcode.ReadOnlySQLTransaction: // a standby that is about to be the primary
		return true
	}
	return pgerrcode.IsConnectionException(pg.Code) || pgerrcode.IsTransactionRollback(pg.Code) ||
		pgerrcode.IsInsufficientResources(pg.Code) ||
		pgerrcode.IsOperatorIntervention(pg.Code) || pgerrcode.IsSystemError(pg.Code)
}

package db

import (
	"errors"
	"io"
	"net"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

// Unavailable says whether an error is about the database not being of use just now: it does not answer, it is starting
// or stopping, its disk or its connections are used up, it took another transaction's side, or a lock could not be had
// in time. The same may work soon. Everything else is about what was asked for.
func Unavailable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
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
	return pgerrcode.IsConnectionException(pg.Code) || pgerrcode.IsTransactionRollback(pg.Code) || pgerrcode.IsInsufficientResources(pg.Code) ||
		pgerrcode.IsOperatorIntervention(pg.Code) || pgerrcode.IsSystemError(pg.Code)
}

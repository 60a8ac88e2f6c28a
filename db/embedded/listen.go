package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// passwordFile holds the password of a server that listens on TCP. It lies in the data directory, which is closed to
// all but its owner.
const passwordFile = "explorer.password"

// portTaken is what Postgres says when somebody else listens on the port. The server's messages are in English.
const portTaken = "could not create any TCP/IP sockets"

// portTries is how many free ports are tried: another process may take one before Postgres does.
const portTries = 10

func socketURL(socket, port, name string) string {
	return fmt.Sprintf("host=%s port=%s user=explorer dbname=%s sslmode=disable", socket, port, name)
}

// tcpURL is for every connection, the first and those of a pool long after: somebody else may have taken the port of a
// server that went away. With SCRAM, the server proves that it knows the password too, and a stranger learns nothing.
func tcpURL(port, password, name string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%s user=explorer password=%s dbname=%s sslmode=disable "+
		"require_auth=scram-sha-256", port, password, name)
}

// url is the connection string of a database of the server.
func (e *Server) url(name string) string {
	if e.cfg.TCP {
		return tcpURL(strconv.Itoa(e.port), e.password, name)
	}
	return socketURL(e.socket, strconv.Itoa(e.port), name)
}

// listenArgs are the arguments that tell the server where to listen.
func (e *Server) listenArgs() []string {
	args := []string{"-p", strconv.Itoa(e.port)}
	if e.cfg.TCP {
		return append(args, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "lc_messages=C")
	}
	return append(args, "-k", e.socket, "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700")
}

// launchFirst decides where the server listens, and launches it there.
func (e *Server) launchFirst(ctx context.Context) (err error) {
	if !e.cfg.TCP {
		e.port = 5432
		if e.socket, err = os.MkdirTemp("", "explorer-pg-"); err != nil {
			return err
		}
		if err := e.Give(e.socket); err != nil {
			return err
		}
		return e.launch(ctx)
	}
	if e.password, err = readPassword(e.cfg.Dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory %s was not made for a server that listens on TCP: it has no %s",
			e.cfg.Dir, passwordFile)
	} else if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if e.port, err = e.cfg.freePort(ctx); err != nil {
			return err
		}
		if err = e.launch(ctx); err == nil || try == portTries || !strings.Contains(err.Error(), portTaken) {
			return err
		}
		e.cfg.Logger.Debug("the port of postgres is taken; another one is tried", "port", e.port)
	}
}

// freePort is a port of the loopback interface that nobody listens on.
func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close() //nolint:errcheck // nothing was accepted
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: %s is no TCP address", l.Addr())
	}
	return addr.Port, nil
}

// newPassword writes a random password to a file, for its owner alone.
func newPassword(path string) error {
	var random [24]byte
	_, _ = rand.Read(random[:]) // it never fails
	if err := os.WriteFile(path, []byte(hex.EncodeToString(random[:])+"\n"), 0o600); err != nil {
		return fmt.Errorf("password of postgres: %w", err)
	}
	return nil
}

func readPassword(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, passwordFile)) //nolint:gosec // in our data directory
	if err != nil {
		return "", fmt.Errorf("password of postgres: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

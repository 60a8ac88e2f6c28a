package db

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestToolConnection says to libpq what pgx reads, and leaves out what libpq refuses.
func TestToolConnection(t *testing.T) {
	dir := t.TempDir()
	services := filepath.Join(dir, "services.conf")
	passwords := filepath.Join(dir, "passwords")
	if err := os.WriteFile(services,
		[]byte("[mine]\nhost=db.example\nport=6000\ndbname=bills\nuser=reader\nsslmode=disable\npool_max_conns=4\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(passwords, []byte("h:5432:d:u:from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGPASSFILE", "PGOPTIONS",
		"PGTZ", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE", "PGCONNECT_TIMEOUT"} {
		t.Setenv(name, "")
	}
	const timeout = "connect_timeout='8' "
	for dsn, want := range map[string]string{
		"postgres://u:p@h/d": timeout + "dbname='d' host='h' port='5432' user='u' PGPASSWORD=p",
		"postgres://u@h/d?pool_max_conns=5&pool_min_conns=1&pool_max_conn_lifetime=1h&pool_ping_timeout=1s" +
			"&default_query_exec_mode=exec&statement_cache_capacity=0&description_cache_capacity=9": timeout +
			"dbname='d' host='h' port='5432' user='u'",
		"host=h user=u dbname=d pool_max_conns=5 default_query_exec_mode=simple_protocol statement_timeout=1s": timeout +
			"dbname='d' host='h' port='5432' user='u'",
		"postgres://u@h/d?search_path=a,%20b&options=-c%20geqo%3Doff&application_name=x&connect_timeout=3": "connect_timeout='3' dbname='d' host='h' options='-c geqo=off' port='5432' user='u'",
		"host=h user=u dbname=d search_path=a Lock_Timeout=1s DateStyle='SQL, DMY'":                        timeout + "dbname='d' host='h' port='5432' user='u'",
		"postgres://u@h/d?role=a%20b&search_path=x":                                                        timeout + "dbname='d' host='h' options='-c role=a\\\\ b' port='5432' user='u'",
		"postgres://u@a:1,b:2/d?target_session_attrs=read-write&sslmode=prefer":                            timeout + "dbname='d' host='a,b' port='1,2' sslmode='prefer' target_session_attrs='read-write' user='u'",
		"postgres:///d?host=/run/pg&user=u&ssl=true&sslmode=disable":                                       timeout + "dbname='d' host='/run/pg' port='5432' sslmode='disable' user='u'",
		`user = u  password = 'it\'s \\ a' host='/run/my pg' dbname=d port=7`:                              timeout + "dbname='d' host='/run/my pg' port='7' user='u' PGPASSWORD=it's \\ a",
		"service=mine servicefile=" + services + " dbname=other": timeout +
			"dbname='other' host='db.example' port='6000' sslmode='disable' user='reader'",
		"postgres://u:p@h/d?require_auth=scram-sha-256": timeout + "dbname='d' host='h' port='5432' user='u' PGPASSWORD=p PGREQUIREAUTH=scram-sha-256",
		"postgres://u@h/d?passfile=" + passwords: timeout +
			"dbname='d' host='h' port='5432' user='u' PGPASSWORD=from the file",
	} {
		c, err := toolConnection(dsn)
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if got := strings.TrimSpace(c.conninfo + " " + strings.Join(c.env, " ")); got != want {
			t.Errorf("%s:\n got %s\nwant %s", dsn, got, want)
		}
		c.close()
	}
	if _, err := toolConnection("postgres://u@h/d?krbspn=x"); err == nil || !strings.Contains(err.Error(), "krbsrvname") {
		t.Errorf("krbspn: %v", err)
	}
	c, err := toolConnection("postgres://u@h/d?sslpassword=secret")
	if err != nil || strings.Contains(c.conninfo, "secret") || !strings.Contains(c.conninfo, "service='explorer'") {
		t.Fatalf("sslpassword: %+v, %v", c, err)
	}
	if info, err := os.Stat(c.secrets); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the service file: %v, %v", info, err)
	}
	c.close()
	if _, err := os.Stat(c.secrets); !os.IsNotExist(err) {
		t.Errorf("the service file stays: %v", err)
	}
}

// TestComplaint tells the first error, not the last line.
func TestComplaint(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"pg_dump: error: server version: 18.6; pg_dump version: 15.18\npg_dump: error: aborting because of server version mismatch\n":                                                                               "server version: 18.6; pg_dump version: 15.18",
		"pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 3; 1259 1 TABLE t o\npg_restore: error: could not execute query: ERROR:  relation \"t\" already exists\nCommand was: CREATE TABLE t (\n);\n": "could not execute query: ERROR:  relation \"t\" already exists",
		"pg_dump: warning: there is something\npg_dump: error: query failed: ERROR:  permission denied for table t\npg_dump: detail: Query was: LOCK TABLE t\n":                                                     "query failed: ERROR:  permission denied for table t (Query was: LOCK TABLE t)",
		"psql:<stdin>:7: ERROR:  syntax error\nLINE 1: x\n": "syntax error",
		"something else\nand more\n":                        "something else",
		"":                                                  "",
	} {
		c := &errorOutput{}
		if _, err := c.Write([]byte(said)); err != nil || c.firstError() != want {
			t.Errorf("%q\n got %q\nwant %q", said, c.firstError(), want)
		}
	}
}

// TestFindDump takes the oldest program that can read a server, and names both versions where there is none.
func TestFindDump(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"9", "13", "199"} {
		bin := filepath.Join(dir, version)
		if err := os.Mkdir(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, "pg_dump"),
			[]byte("#!/bin/sh\necho 'pg_dump (PostgreSQL) "+version+"beta1 (Debian)'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", strings.Join([]string{filepath.Join(dir, "9"), filepath.Join(dir, "199"), filepath.Join(dir, "13"),
		os.Getenv("PATH")}, string(filepath.ListSeparator)))
	for server, want := range map[int]string{9: "9", 10: "13", 13: "13", 198: "199", 199: "199"} {
		if got, err := findDump(server); err != nil || filepath.Base(filepath.Dir(got.path)) != want {
			t.Errorf("for Postgres %d: %v, %v", server, got, err)
		}
	}
	_, err := findDump(200)
	if err == nil || !strings.Contains(err.Error(), "Postgres 200") || !strings.Contains(err.Error(), "version 199") ||
		!strings.Contains(err.Error(), "postgresql-client-200") {
		t.Errorf("for a newer server than there are programs: %v", err)
	}
	t.Setenv("POSTGRES_BINARIES", filepath.Join(dir, "199"))
	t.Setenv("PATH", "")
	if got, err := findDump(150); err != nil || got.major != 199 {
		t.Errorf("in POSTGRES_BINARIES: %v, %v", got, err)
	}
}

package db

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgservicefile"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connection is a connection string for Postgres client programs, which use libpq instead of pgx.
type connection struct {
	conninfo string   // without secrets, because other users of the machine can see the arguments of a program
	env      []string // environment variables with the secrets
	secrets  string   // the path of a temporary service file; empty if there is none
}

func (c *connection) close() {
	if c.secrets != "" {
		_ = os.Remove(c.secrets)
	}
}

// handedOn are the settings that pgx and libpq both know and that libpq is given as they are. Hosts, ports, user,
// database and password it is given as pgx has made them out, and everything else as options.
var handedOn = []string{
	"sslmode", "sslkey", "sslcert", "sslcertmode", "sslrootcert", "sslnegotiation", "sslsni", "krbsrvname",
	"target_session_attrs",
	"min_protocol_version", "max_protocol_version", "channel_binding", "connect_timeout",
}

// toolConnection reads a connection string as pgx does and says the same to libpq. libpq refuses settings that only pgx
// knows, such as pool_max_conns, and parameters of the server, such as statement_timeout, which it wants in options.
func toolConnection(dsn string) (*connection, error) {
	pc, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL %q cannot be read", Redact(dsn))
	}
	given, err := givenSettings(dsn)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL %q: %w", Redact(dsn), err)
	}
	if given["krbspn"] != "" {
		return nil, fmt.Errorf("DATABASE_URL: krbspn means nothing to pg_dump and pg_restore: use krbsrvname")
	}
	cc := pc.ConnConfig
	settings := map[string]string{"user": cc.User, "dbname": cc.Database}
	settings["host"], settings["port"] = hostsAndPorts(cc)
	for _, key := range handedOn {
		if v := given[key]; v != "" {
			settings[key] = v
		}
	}
	if settings["connect_timeout"] == "" && os.Getenv("PGCONNECT_TIMEOUT") == "" {
		settings["connect_timeout"] = "8"
	}
	if options := serverOptions(cc.RuntimeParams); options != "" {
		settings["options"] = options
	}
	c := &connection{}
	if cc.Password != "" {
		c.env = append(c.env, "PGPASSWORD="+cc.Password)
	}
	if methods := given["require_auth"]; methods != "" {
		c.env = append(c.env, "PGREQUIREAUTH="+methods) // libpq before 16 refuses the setting, and passes over a variable
	}
	if secret := given["sslpassword"]; secret != "" {
		if err := c.writeServiceFile(secret); err != nil {
			c.close()
			return nil, err
		}
		settings["service"] = "explorer"
	}
	if c.env == nil {
		c.env = []string{}
	}
	var words []string
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		words = append(words, key+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(settings[key])+"'")
	}
	c.conninfo = strings.Join(words, " ")
	return c, nil
}

// hostsAndPorts returns the hosts of a connection and their ports, as libpq wants them.
func hostsAndPorts(cc *pgx.ConnConfig) (string, string) {
	var hosts, ports []string
	add := func(host string, port uint16) {
		number := strconv.Itoa(int(port))
		for i := range hosts {
			if hosts[i] == host && ports[i] == number { // once with TLS and once without
				return
			}
		}
		hosts, ports = append(hosts, host), append(ports, number)
	}
	add(cc.Host, cc.Port)
	for _, f := range cc.Fallbacks {
		add(f.Host, f.Port)
	}
	return strings.Join(hosts, ","), strings.Join(ports, ",")
}

// writeServiceFile hands over the password of a client key, for which libpq has no variable. The file can be read by
// its owner alone.
func (c *connection) writeServiceFile(password string) error {
	f, err := os.CreateTemp("", "explorer-service-*")
	if err != nil {
		return err
	}
	c.secrets = f.Name()
	c.env = append(c.env, "PGSERVICEFILE="+c.secrets)
	_, err = fmt.Fprintf(f, "[explorer]\nsslpassword=%s\n", password)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// toolsSet are the parameters that Postgres' own programs set by themselves, whatever the connection has: they name
// each thing with its schema. Poolers may refuse options, as PgBouncer did before 1.20.
var toolsSet = []string{
	"search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout",
	"datestyle", "intervalstyle", "extra_float_digits",
}

// serverOptions are the parameters that pgx sends when it connects, as libpq's options, without those that make no
// difference.
func serverOptions(params map[string]string) string {
	var options []string
	if given := params["options"]; given != "" {
		options = append(options, given)
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name == "options" || name == "application_name" || slices.Contains(toolsSet, strings.ToLower(name)) {
			continue
		}
		options = append(options, "-c "+escapeOption(name)+"="+escapeOption(params[name]))
	}
	return strings.Join(options, " ")
}

// escapeOption keeps a text together in options, which are split at white space.
func escapeOption(s string) string {
	escape := strings.NewReplacer(
		`\`, `\\`, " ", `\ `, "\t", "\\\t", "\n", "\\\n", "\r", "\\\r", "\v", "\\\v", "\f", "\\\f")
	return escape.Replace(s)
}

// givenSettings are the settings of a connection string and of the service that it or PGSERVICE names. pgx keeps to
// itself what it made of those about TLS.
func givenSettings(dsn string) (map[string]string, error) {
	var given map[string]string
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		given = urlSettings(dsn)
	} else {
		given = wordSettings(dsn)
	}
	service := given["service"]
	if service == "" {
		service = os.Getenv("PGSERVICE")
	}
	if service == "" {
		return given, nil
	}
	name := given["servicefile"]
	if name == "" {
		name = os.Getenv("PGSERVICEFILE")
	}
	if name == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		name = filepath.Join(home, ".pg_service.conf")
	}
	file, err := pgservicefile.ReadServicefile(name)
	if err != nil {
		return nil, fmt.Errorf("service file: %w", err)
	}
	found, err := file.GetService(service)
	if err != nil {
		return nil, fmt.Errorf("service file: %w", err)
	}
	settings := maps.Clone(found.Settings)
	maps.Copy(settings, given)
	return settings, nil
}

// urlSettings are the settings in the query of a URL that pgx has read without complaint.
func urlSettings(dsn string) map[string]string {
	settings := map[string]string{}
	rest := dsn[strings.Index(dsn, "://")+len("://"):]
	// A user and a password may have any sign but @ and /.
	if at := strings.IndexAny(rest, "@/"); at >= 0 && rest[at] == '@' {
		rest = rest[at+1:]
	}
	_, query, _ := strings.Cut(rest, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		key, err1 := url.PathUnescape(key) // a + is a plus sign
		value, err2 := url.PathUnescape(value)
		if err1 != nil || err2 != nil {
			continue
		}
		if key == "ssl" && value == "true" { // as JDBC says it
			key, value = "sslmode", "require"
		}
		settings[key] = value
	}
	return settings
}

// wordSettings are the settings of a connection string of words that pgx has read without complaint.
func wordSettings(dsn string) map[string]string {
	const blanks = " \t\n\r\v\f"
	settings := map[string]string{}
	for dsn = strings.TrimLeft(dsn, blanks); dsn != ""; dsn = strings.TrimLeft(dsn, blanks) {
		key, rest, found := strings.Cut(dsn, "=")
		if !found {
			return settings
		}
		rest = strings.TrimLeft(rest, blanks)
		quoted := strings.HasPrefix(rest, "'")
		if quoted {
			rest = rest[1:]
		}
		var value strings.Builder
		i := 0
		for ; i < len(rest); i++ {
			if quoted && rest[i] == '\'' || !quoted && strings.IndexByte(blanks, rest[i]) >= 0 {
				i++
				break
			}
			if rest[i] == '\\' {
				if i++; i == len(rest) {
					break
				}
			}
			value.WriteByte(rest[i])
		}
		settings[strings.Trim(key, blanks)] = value.String()
		dsn = rest[min(i, len(rest)):]
	}
	return settings
}

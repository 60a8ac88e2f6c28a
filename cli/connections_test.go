package cli

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/parliament-explorer/parliament-explorer/db"
)

func surveyOf(maxConnections int) db.Survey {
	return db.Survey{Limits: db.Limits{MaxConnections: maxConnections, Reserved: 3, RoleLimit: -1, DatabaseLimit: -1}}
}

// TestConnectionsFit adds up what all processes may open of each deployment that is shipped, while each of them is
// being replaced too.
func TestConnectionsFit(t *testing.T) {
	t.Parallel()
	fits := func(what string, maxConnections int, parts map[string]int) {
		t.Helper()
		s, total := surveyOf(maxConnections), 0
		for command, n := range parts {
			p := workload{serves: command != "worker", works: command != "serve", concurrency: 32}
			total += n * p.most(0, s)
		}
		if usable := s.Limits.Usable(); total+reserveOf(usable) > usable {
			t.Errorf("%s: %d connections, and %d for others, of %d", what, total, reserveOf(usable), usable)
		}
	}
	p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "..", ConfigFiles: []types.ConfigFile{{Filename: "../docker-compose.yml"}},
		Environment: types.Mapping{"POSTGRES_PASSWORD": "secret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`max_connections=(\d+)`).FindStringSubmatch(strings.Join(p.Services["postgres"].Command, " "))
	if m == nil {
		t.Fatal("docker-compose.yml does not say how many connections Postgres allows")
	}
	allowed, _ := strconv.Atoi(m[1])
	server, worker := p.Services["server"], p.Services["worker"]
	fits("Docker Compose", allowed, map[string]int{"serve": server.GetScale(), "worker": worker.GetScale()})
	pods := func(file string) int {
		n := 0
		for _, m := range regexp.MustCompile(`(?:replicas|maxSurge): (\d+)`).
			FindAllStringSubmatch(string(read(t, "deploy", "kubernetes", file)), -1) {
			k, _ := strconv.Atoi(m[1])
			n += k
		}
		if n < 3 {
			t.Errorf("%s: %d pods", file, n)
		}
		return n
	}
	const byDefault = 100 // of Postgres, and of most who offer it
	fits("Kubernetes", byDefault, map[string]int{"serve": pods("server.yaml"), "worker": pods("worker.yaml")})
	fits("systemd", byDefault, map[string]int{"serve": 1, "worker": 2})
	fits("Railway, two deployments that overlap", byDefault, map[string]int{"dev": 2})
	fits("a small Postgres", 20, map[string]int{"serve": 2, "worker": 2})
}

func TestConnections(t *testing.T) {
	t.Parallel()
	serve, worker, dev := workload{serves: true}, workload{works: true, concurrency: 32}, workload{serves: true,
		works: true, concurrency: 32}
	session, transaction := surveyOf(100), surveyOf(100)
	session.Pooling, transaction.Pooling = db.PoolingSession, db.PoolingTransaction
	role := surveyOf(100)
	role.Limits.RoleLimit = 23
	for _, c := range []struct {
		what                          string
		p                             workload
		asked                         int
		s                             db.Survey
		most, pool, relaxed, directly int
	}{
		{"a server", serve, 0, surveyOf(200), 12, 9, 2, 0},
		{"a worker", worker, 0, surveyOf(200), 14, 10, 2, 0},
		{"a worker of many steps", workload{works: true, concurrency: 1000}, 0, surveyOf(1000), 46, 36, 8, 0},
		{"a worker of one step", workload{works: true, concurrency: 1}, 0, surveyOf(1000), 6, 5, -1, 0},
		{"all in one", dev, 0, surveyOf(200), 18, 12, 3, 0},
		{"a server on a small Postgres", serve, 0, surveyOf(20), 3, 2, -1, 0},
		{"a worker on a small Postgres", worker, 0, surveyOf(20), 3, 2, -1, 0},
		{"all in one on a small Postgres", dev, 0, surveyOf(20), 4, 2, -1, 0},
		{"a worker whose role has a limit", worker, 0, role, 3, 2, -1, 0},
		{"as asked", worker, 30, surveyOf(20), 30, 23, 5, 0},
		{"less than it can do with", dev, 3, surveyOf(20), 4, 2, -1, 0},
		{"behind a pooler in session mode", worker, 0, session, 3, 2, -1, 0},
		{"behind one that is larger", worker, 14, session, 14, 11, 2, 0},
		{"a worker behind a pooler in transaction mode", worker, 0, transaction, 14, 13, -1, 3},
		{"a server behind a pooler in transaction mode", serve, 0, transaction, 12, 11, -1, 1},
		{"a server with a read replica", workload{serves: true, watches: true}, 6, surveyOf(1000), 6, 4, -1, 0},
		{"a command", workload{connections: 2}, 30, surveyOf(20), 2, 2, -1, 0},
	} {
		cfg := c.p.config("", databaseFlags{DatabaseConnections: c.asked}, c.s)
		if most := c.p.most(c.asked, c.s); most != c.most || cfg.MaxConns != c.pool || cfg.RelaxedConns != c.relaxed ||
			cfg.DirectConns != c.directly {
			t.Errorf("%s: %d: %d, relaxed %d, direct %d; want %d: %d, %d, %d", c.what, most, cfg.MaxConns, cfg.RelaxedConns,
				cfg.DirectConns, c.most, c.pool, c.relaxed, c.directly)
		}
	}
}

func TestConnectionsAdvice(t *testing.T) {
	t.Parallel()
	worker := workload{works: true, concurrency: 32}
	if warning, _, cannot := worker.fits(0, surveyOf(100)); cannot != nil || warning != "" {
		t.Errorf("enough: %v, %q", cannot, warning)
	}
	taken := surveyOf(100)
	taken.Limits.InUse = 90
	if warning, advice, cannot := worker.fits(0, taken); cannot != nil || !strings.Contains(warning, "open 14") ||
		!strings.Contains(warning, "7 are free") || !strings.Contains(advice, "max_connections to 116") {
		t.Errorf("taken by others: %v, %q, %q", cannot, warning, advice)
	}
	role := surveyOf(100)
	role.Limits.RoleLimit, role.Limits.Role = 2, "app"
	if _, _, cannot := worker.fits(0, role); cannot == nil ||
		!strings.Contains(cannot.Error(), "ALTER ROLE app CONNECTION LIMIT 18") {
		t.Errorf("too few to work: %v", cannot)
	}
}

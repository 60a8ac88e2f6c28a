package server

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
)

// replicaExtension is the extension of the contract that states which requests of an operation a read replica may
// answer.
const replicaExtension = "x-read-replica"

// The values of replicaExtension.
const (
	replicaAlways = "always"
	// For lists that are newest first: later pages hold older items only.
	replicaLaterPages = "later_pages"
)

// replicaOperations returns the values of replicaExtension by the operation's name in the generated code.
func replicaOperations() (map[string]string, error) {
	spec, err := contract()
	if err != nil {
		return nil, err
	}
	operations := map[string]string{}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			given, ok := op.Extensions[replicaExtension]
			if !ok {
				continue
			}
			kind, _ := given.(string)
			if method != http.MethodGet || kind != replicaAlways && kind != replicaLaterPages {
				return nil, fmt.Errorf(
					"%s %s: %s is %v: want %s or %s, of a GET", method, path, replicaExtension, given, replicaAlways,
					replicaLaterPages,
				)
			}
			operations[strings.ToUpper(op.OperationID[:1])+op.OperationID[1:]] = kind
		}
	}
	return operations, nil
}

// mayLag lets the replica answer requests where the contract allows it. It is the innermost middleware, so that
// authentication, rate limits and the audit log never read from the replica.
func mayLag(operations map[string]string) api.StrictMiddlewareFunc {
	return func(f api.StrictHandlerFunc, operation string) api.StrictHandlerFunc {
		kind := operations[operation]
		if kind == "" {
			return f
		}
		return func(c echo.Context, request any) (any, error) {
			r := c.Request()
			if kind == replicaLaterPages && c.QueryParam("cursor") == "" || wantsFresh(r) {
				return f(c, request)
			}
			ctx := db.MayLag(r.Context())
			c.SetRequest(r.WithContext(ctx))
			defer c.SetRequest(r)
			response, err := f(c, request)
			if err != nil && db.ReplicaFailed(ctx) {
				response, err = f(c, request)
			}
			return response, err
		}
	}
}

// wantsFresh reports whether a request asks caches not to answer it.
func wantsFresh(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values(echo.HeaderCacheControl), ","), ",") {
		if part = strings.ToLower(strings.TrimSpace(part)); part == "no-cache" || part == "no-store" ||
			part == "max-age=0" {
			return true
		}
	}
	return false
}

// apiReplica converts the state of a replica; nil if there is none.
func apiReplica(r *db.Replica) *api.ReadReplica {
	if r == nil {
		return nil
	}
	s := r.Status()
	out := &api.ReadReplica{State: api.ReadReplicaState(s.State), Since: s.Since, MaxLagSeconds: s.MaxLag.Seconds()}
	if s.Reason != "" {
		out.Reason = &s.Reason
	}
	if s.Lag != nil {
		out.LagSeconds = ptr(int(*s.Lag / time.Second))
	}
	return out
}

// replicaCheck returns the readiness check of the replica. The server is ready without it.
func replicaCheck(r *db.Replica) api.Check {
	s := r.Status()
	c := api.Check{
		Name: "read replica", Ok: s.State == db.ReplicaUsed, Detail: "is " + s.State + ": the primary answers",
	}
	if c.Ok && s.Lag != nil {
		c.Detail = fmt.Sprintf("is used; lags %s at the most", s.Lag.Round(10*time.Millisecond))
	}
	return c
}

// replicaMetrics returns the metrics of the replica; none if there is no replica.
func replicaMetrics(r *db.Replica) []prometheus.Collector {
	if r == nil {
		return nil
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "explorer_db_replica_used",
			Help: "1 if the read replica is used, 0 if the primary answers all reads.",
		}, func() float64 {
			if r.Status().State == db.ReplicaUsed {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "explorer_db_replica_lag_seconds",
			Help: "Maximum age of data from the read replica; -1: not known.",
		}, func() float64 {
			if lag := r.Status().Lag; lag != nil {
				return lag.Seconds()
			}
			return -1
		}),
		prometheus.NewCounterFunc(
			prometheus.CounterOpts{
				Name: "explorer_db_replica_reads_total", Help: "Statements that the read replica answered.",
			},
			func() float64 { return float64(r.Status().Reads) },
		),
		prometheus.NewCounterFunc(
			prometheus.CounterOpts{
				Name: "explorer_db_replica_fallbacks_total",
				Help: "Statements that the primary answered in place of the read replica.",
			},
			func() float64 { return float64(r.Status().Fallbacks) },
		),
	}
}

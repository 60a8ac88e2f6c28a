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

// replicaExtension says of an operation in the contract which of its requests may be answered from a read replica.
const replicaExtension = "x-read-replica"

// What replicaExtension may be.
const (
	replicaAlways = "always"
	// Of lists that begin with the newest: what is on them is older than what was shown.
	replicaLaterPages = "later_pages"
)

// replicaOperations gives what the contract says of each operation, by its name in the generated code.
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

// mayLag has requests read from the replica where the contract allows it. It is innermost, so that who asks, how often
// and what is recorded of it never lag.
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

// wantsFresh says whether a request is not to be answered with anything that was kept for it.
func wantsFresh(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values(echo.HeaderCacheControl), ","), ",") {
		if part = strings.ToLower(strings.TrimSpace(part)); part == "no-cache" || part == "no-store" ||
			part == "max-age=0" {
			return true
		}
	}
	return false
}

// apiReplica shows a replica; nil without one.
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

// replicaCheck is the replica among the checks of readiness. The server does its work without one.
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

// replicaMetrics are of the replica; without one they are not there.
func replicaMetrics(r *db.Replica) []prometheus.Collector {
	if r == nil {
		return nil
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "explorer_db_replica_used",
			Help: "1 if the read replica is used, 0 if the primary answers everything.",
		}, func() float64 {
			if r.Status().State == db.ReplicaUsed {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "explorer_db_replica_lag_seconds",
			Help: "How old what the read replica gives is at the most; -1: not known.",
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
				Help: "Statements that the read replica might have answered and the primary did.",
			},
			func() float64 { return float64(r.Status().Fallbacks) },
		),
	}
}

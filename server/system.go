package server

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	swgui "github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// maxProfile is the maximum duration of a profile or a trace, in seconds.
const maxProfile = 60

// shortProfile refuses profiles longer than maxProfile: the answer takes as long as the profile.
func shortProfile(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		text := c.QueryParam("seconds")
		if seconds, err := strconv.ParseFloat(text, 64); text != "" &&
			(err != nil || !(seconds >= 0 && seconds <= maxProfile)) {
			return invalidField("/query/seconds", "is %s: want 0 to %d", quoted(text), maxProfile)
		}
		return next(c)
	}
}

func (h *handlers) GetHealth(context.Context, api.GetHealthRequestObject) (api.GetHealthResponseObject, error) {
	return api.GetHealth200JSONResponse{Status: "ok"}, nil
}

// GetReadiness runs one check for all concurrent requests, because probes are public and not rate limited.
func (h *handlers) GetReadiness(
	ctx context.Context, _ api.GetReadinessRequestObject,
) (api.GetReadinessResponseObject, error) {
	look := h.readiness.DoChan("", func() (any, error) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		return h.ready(limited), nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-look:
		r, _ := got.Val.(api.GetReadinessResponseObject)
		return r, got.Err
	}
}

func (h *handlers) ready(ctx context.Context) api.GetReadinessResponseObject {
	r := api.Readiness{Status: api.Ready}
	add := func(name string, err error, good string) {
		c := api.Check{Name: name, Ok: err == nil, Detail: good}
		if err != nil {
			c.Detail, r.Status = err.Error(), api.NotReady
		}
		r.Checks = append(r.Checks, c)
	}
	database, answers := h.database(ctx)
	if r.Checks = append(r.Checks, database); !database.Ok {
		r.Status = api.NotReady
	}
	if answers {
		add(
			"migrations", publicError(h.cfg.DB.CheckMigrated(ctx), "are pending: run `explorer migrate up`"),
			"are applied",
		)
		workers, err := h.cfg.Engine.Workers(ctx)
		alive := 0
		for _, w := range workers {
			if w.Alive {
				alive++
			}
		}
		// The server is ready without workers: it accepts commands, which are carried out once a worker starts.
		r.Checks = append(
			r.Checks, api.Check{Name: "workers", Ok: err == nil && alive > 0, Detail: fmt.Sprintf("%d alive", alive)},
		)
	}
	if replica := h.cfg.DB.Replica(); replica != nil {
		r.Checks = append(r.Checks, replicaCheck(replica))
	}
	for i := range r.Checks {
		r.Checks[i].DetailI18N = bilingual(r.Checks[i].Detail)
	}
	if r.Status == api.NotReady {
		return api.GetReadiness503JSONResponse(r)
	}
	return api.GetReadiness200JSONResponse(r)
}

// database checks that the database answers and accepts writes.
func (h *handlers) database(ctx context.Context) (c api.Check, answers bool) {
	started := time.Now()
	if err := h.cfg.DB.Ping(ctx); err != nil {
		return api.Check{Name: "database", Detail: "does not answer"}, false
	}
	took := time.Since(started).Round(10 * time.Microsecond)
	if err := h.writes.Check(ctx); err != nil {
		return api.Check{Name: "database", Detail: err.Error()}, true
	}
	return api.Check{Name: "database", Ok: true, Detail: fmt.Sprintf("answers in %s", took)}, true
}

// publicError replaces the text of an error, which may name hosts and users, in an answer that anybody can get.
func publicError(err error, says string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", says)
}

func (h *handlers) GetVersion(context.Context, api.GetVersionRequestObject) (api.GetVersionResponseObject, error) {
	spec, err := contract()
	if err != nil {
		return nil, err
	}
	return api.GetVersion200JSONResponse{
		Version: h.cfg.Version, Revision: h.cfg.Revision, Go: runtime.Version(), Contract: spec.Info.Version,
	}, nil
}

func (h *handlers) GetContract(context.Context, api.GetContractRequestObject) (api.GetContractResponseObject, error) {
	raw, err := contractJSON()
	return rawJSON(raw), err
}

type rawJSON []byte

// VisitGetContractResponse implements the response of the operation.
func (r rawJSON) VisitGetContractResponse(w http.ResponseWriter) error {
	w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(r)
	return err
}

func (h *handlers) GetMetrics(
	ctx context.Context, _ api.GetMetricsRequestObject,
) (api.GetMetricsResponseObject, error) {
	return metricsAnswer{metrics: h.metrics, ctx: ctx}, nil
}

// docsHandler serves the contract in Swagger UI, whose files are embedded.
func docsHandler() http.Handler {
	return v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Parliament Explorer", SwaggerJSON: "/openapi.json", BasePath: "/docs/",
		SettingsUI: map[string]string{"validatorUrl": "null", "tryItOutEnabled": "true"},
	})
}

package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/cron"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/retention"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

type doctorCmd struct {
	databaseFlags
	replicaFlags
	pipelineFlags
	serverFlags
}

// Run checks everything that a deployment needs and prints what is wrong and what to do about it. It changes nothing,
// and fails if something that is required does not work.
func (c *doctorCmd) Run(a *app) error {
	r := &examination{a: a}
	c.binaries(r)
	if err := c.pipelineFlags.check(); err != nil {
		r.bad("configuration", err.Error(), "")
	} else {
		r.good("configuration", "is readable")
	}
	c.database(r)
	c.sources(r)
	c.server(r)
	if r.failed > 0 {
		return &exitError{code: exitFailure, message: fmt.Sprintf("%d of %d checks failed", r.failed, r.total)}
	}
	return nil
}

// examination prints the result of each check and counts them.
type examination struct {
	a             *app
	total, failed int
}

func (r *examination) line(mark, what, finding, advice string) {
	r.total++
	printf(r.a.out, "%-4s  %-22s %s\n", mark, what, finding)
	if advice != "" {
		printf(r.a.out, "      %-22s -> %s\n", "", advice)
	}
}

func (r *examination) good(what, finding string) { r.line("ok", what, finding, "") }

func (r *examination) warn(what, finding, advice string) { r.line("warn", what, finding, advice) }

func (r *examination) bad(what, finding, advice string) {
	r.failed++
	r.line("FAIL", what, finding, advice)
}

func (c *doctorCmd) database(r *examination) {
	dsn := c.DatabaseURL
	if dsn == "" {
		dir, err := c.dataDir()
		if err != nil {
			r.bad("database", err.Error(), "set DATA_DIR or DATABASE_URL")
			return
		}
		var running bool
		if dsn, running = embedded.Attach(dir); !running {
			r.warn("database", "the embedded Postgres on "+dir+" is not running",
				"`explorer dev` starts it; or set DATABASE_URL")
			return
		}
	}
	cfg, ok := c.connections(r, dsn)
	if !ok {
		return
	}
	d, err := db.Open(r.a.ctx, cfg)
	if err != nil {
		r.bad("database", err.Error(), "check DATABASE_URL and that Postgres runs")
		return
	}
	defer d.Close()
	version, databaseTime, err := d.VersionAndTime(r.a.ctx)
	if err != nil {
		r.bad("database", err.Error(), "")
		return
	}
	r.good("database", "Postgres "+version+" answers")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 14 {
		r.bad("database", "is older than Postgres 14", "upgrade it")
	}
	if off := time.Since(databaseTime).Abs(); off > 2*time.Second {
		r.warn("clock", fmt.Sprintf("this machine and the database differ by %.1f s", off.Seconds()),
			"synchronise both with NTP: schedules fire by the worker's clock")
	} else {
		r.good("clock", "agrees with the database's")
	}
	c.postgres(r, d)
	if err := d.CheckMigrated(r.a.ctx); err != nil {
		r.bad("migrations", err.Error(), "explorer migrate up")
		return
	}
	r.good("migrations", "are applied")
	c.examine(r, d)
	if err := c.storage(r, d); err != nil {
		r.warn("storage", err.Error(), "")
	}
}

// binaries checks which server binaries the embedded Postgres would use.
func (c *doctorCmd) binaries(r *examination) {
	const what = "server binaries"
	if c.DatabaseURL != "" {
		return // they are not needed
	}
	dir, err := c.dataDir()
	if err != nil {
		return // the database's check says so
	}
	source, err := c.source(r.a)
	if err != nil {
		r.bad(what, err.Error(), "")
		return
	}
	search := source.Search(dir)
	if search.Err != nil {
		r.bad(what, search.Err.Error(), "")
		return
	}
	for _, u := range search.Unusable {
		r.warn(what, u.Bin+" "+u.Problem.Error(), "repair or remove it; others are used meanwhile")
	}
	if search.Found != nil {
		r.good(what, "Postgres "+search.Found.Version+" in "+search.Found.Bin)
		return
	}
	if search.Fetch.To == "" {
		r.bad(what, "there are none on this machine, and there is no folder to download them to",
			"set XDG_CACHE_HOME to a folder that can be written to, or "+embedded.Remedy)
		return
	}
	would := sprintf("%s is downloaded once: %s from %s to %s", search.Fetch.Name(), byteSize(search.Fetch.Size),
		search.Fetch.From, search.Fetch.To)
	if err := search.Fetch.Reachable(r.a.ctx); err != nil {
		r.bad(what, "there are none on this machine, and "+search.Fetch.From+" cannot be reached: "+err.Error(),
			embedded.Remedy)
		return
	}
	r.warn(what, "there are none on this machine", would)
}

const (
	// lowDisk is the free space below which the check of the disk fails: 1 GiB.
	lowDisk = 1 << 30
	// monthDays is the length of a month for the forecast of growth.
	monthDays = 30
)

// storage reports the size and the growth of the database, and checks the free space on the disk of the embedded one.
func (c *doctorCmd) storage(r *examination, d *db.DB) error {
	tables, err := d.Storage(r.a.ctx)
	if err != nil {
		return err
	}
	growth, err := retention.Growth(r.a.ctx, d)
	if err != nil {
		return err
	}
	aDay, days := map[string]float64{}, 0
	var total int64
	var grows float64
	for _, g := range growth {
		aDay[g.Table], days = g.BytesADay, max(days, g.Days)
		grows += g.BytesADay
	}
	var largest []string
	for i, t := range tables {
		total += t.Bytes
		if i < 3 {
			largest = append(largest, fmt.Sprintf("%s %s", t.Name, byteSize(t.Bytes)))
		}
	}
	finding := byteSize(total) + " in all; " + strings.Join(largest, ", ")
	if days > 0 {
		finding += fmt.Sprintf("; %s%s a day over the last %d days", map[bool]string{true: "-", false: "+"}[grows < 0],
			byteSize(int64(math.Abs(grows))), days)
	}
	r.good("storage", finding)
	if c.DatabaseURL != "" {
		return nil // its disk is another machine's
	}
	dir, err := c.dataDir()
	if err != nil {
		return err
	}
	free, err := diskFree(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	room := byteSize(free) + " free on " + dir
	switch {
	case free < lowDisk:
		r.bad("disk", room, "make room, or keep less: RETENTION")
	case grows*monthDays > float64(free):
		r.warn("disk", room+", which is full within a month at this pace", "make room, or keep less: RETENTION")
	default:
		r.good("disk", room)
	}
	return nil
}

// sources requests bills from each source, once and in the way that fetches do, and reports the answers.
func (c *doctorCmd) sources(r *examination) {
	ctx, cancel := context.WithTimeout(r.a.ctx, time.Minute)
	defer cancel()
	const lasts = "fetches fail or lack enrichment while this lasts"
	client := func(source, base string) (*upstream.Client, error) {
		return upstream.New(upstream.Config{Source: source, BaseURL: base, UserAgent: c.agent(r.a.version),
			Timeout: 15 * time.Second})
	}
	session, since := "", time.Now().AddDate(-1, 0, 0)
	if cl, err := client(openparliament.Source, c.OpenParliamentURL); err != nil {
		r.bad("OpenParliament", err.Error(), "")
	} else if bills, faults, err := (openparliament.Client{Client: cl}).BillsSince(ctx, since); err != nil {
		r.warn("OpenParliament", err.Error(), lasts)
	} else {
		newest, known := newestSession(bills)
		session = newest
		for _, b := range bills {
			if _, err := parliament.ParseBillID(b.Session, b.Number); err != nil {
				faults = upstream.AddFault(faults, cl.URL("/bills/"), err)
			}
		}
		r.list("OpenParliament", fmt.Sprintf("%d bills of a year", known), known > 0, faults)
	}
	if cl, err := client(legisinfo.Source, c.LegisinfoURL); err != nil {
		r.bad("LEGISinfo", err.Error(), "")
	} else {
		r.legisinfo(ctx, legisinfo.Client{Client: cl}, session, lasts)
	}
	if c.ContactEmail == "" && c.UserAgent == "" {
		r.warn("contact", "CONTACT_EMAIL is not set", "set it, so that the sources can write before they block")
	}
}

// legisinfo requests the list of a session and, if that has no bills, the list without a session, as fetches do.
func (r *examination) legisinfo(ctx context.Context, asker legisinfo.Client, session, lasts string) {
	what := "of session " + session
	if session == "" {
		what = "of the current session"
	}
	items, faults, err := asker.List(ctx, session)
	switch {
	case session != "" && (err != nil || len(items) == 0):
		finding := fmt.Sprintf("the list of session %s: %s", session, noList(err))
		other, _, err := asker.List(ctx, "")
		if err != nil || len(other) == 0 {
			r.warn("LEGISinfo", finding+"; the list without a session: "+noList(err), lasts)
			return
		}
		r.warn("LEGISinfo", finding, fmt.Sprintf("fetches use the list without a session, which has %d bills", len(other)))
	case err != nil:
		r.warn("LEGISinfo", err.Error(), lasts)
	default:
		r.list("LEGISinfo", fmt.Sprintf("%d bills %s", len(items), what), len(items) > 0, faults)
	}
}

func noList(err error) string {
	if err == nil {
		return "it has no bill"
	}
	return err.Error()
}

// list reports the list of a source, and the records of it that cannot be read.
func (r *examination) list(source, what string, any bool, faults []*upstream.RecordError) {
	switch {
	case len(faults) > 0:
		r.warn(source, fmt.Sprintf("lists %s, and %d records that cannot be read: %s", what, upstream.Count(faults),
			faults[0]), "the others are fetched; look whether the source changed")
	case !any:
		r.warn(source, "answers with a list that has no bill", "look whether the source changed, and at the clock of this "+
			"machine")
	default:
		r.good(source, "lists "+what)
	}
}

// newestSession returns the newest session of some records, and how many of the records have the id of a bill.
func newestSession(bills []openparliament.Bill) (newest string, known int) {
	var at parliament.BillID
	for _, b := range bills {
		id, err := parliament.ParseBillID(b.Session, b.Number)
		if err != nil {
			continue
		}
		if known++; newest == "" || cmp.Or(cmp.Compare(id.Parliament, at.Parliament),
			cmp.Compare(id.Session, at.Session)) > 0 {
			newest, at = id.SessionCode(), id
		}
	}
	return newest, known
}

func (c *doctorCmd) server(r *examination) {
	cl, err := c.client(r.a)
	if err != nil {
		r.bad("server", err.Error(), "")
		return
	}
	ready, err := cl.GetReadinessWithResponse(r.a.ctx)
	if err != nil {
		r.warn("server", cl.unreachable(err).Error(), "")
		return
	}
	state := ready.JSON200
	if state == nil {
		state = ready.JSON503
	}
	if state == nil {
		r.bad("server", cl.problem(ready.HTTPResponse, ready.Body).Error(), "")
		return
	}
	workers := false
	for _, check := range state.Checks {
		workers = workers || check.Name == "workers" && check.Ok
		switch {
		case check.Ok:
			r.good("server: "+check.Name, check.Detail)
		case check.Name == "workers":
			r.bad("server: "+check.Name, check.Detail,
				"start one with `explorer worker`: runs stay queued and schedules do not fire without")
		case check.Name == "read replica": // the primary answers
			r.warn("server: "+check.Name, check.Detail, "the log of the server has the reason")
		default:
			r.bad("server: "+check.Name, check.Detail, "")
		}
	}
	schedules, err := cl.ListSchedulesWithResponse(r.a.ctx)
	if err != nil || schedules.JSON200 == nil {
		return
	}
	for _, sch := range schedules.JSON200.Items {
		r.schedule(sch, workers)
	}
	if v, err := cl.GetVersionWithResponse(r.a.ctx); err == nil && v.JSON200 != nil {
		if v.JSON200.Version == r.a.version && v.JSON200.Revision == r.a.revision {
			r.good("version", "the server is "+r.a.version+", as this program is")
		} else {
			r.warn("version", fmt.Sprintf("the server is %s %s, this program %s %s", v.JSON200.Version, v.JSON200.Revision,
				r.a.version, r.a.revision), "use one version, but for the time of an upgrade")
		}
	}
	r.publicRead(cl)
	c.automation(r, cl)
}

// publicRead reports what the server lets anybody read.
func (r *examination) publicRead(cl *client) {
	const what = "public reading"
	answer, err := cl.GetSessionWithResponse(r.a.ctx)
	if err != nil || answer.JSON200 == nil {
		return
	}
	read, off := answer.JSON200.PublicRead, answer.JSON200.Authentication == api.Off
	switch {
	case off && (read == api.PublicReadData || read == api.PublicReadAll):
		r.warn(what, "PUBLIC_READ has no effect: the server requires no authentication", "set AUTH=on")
	case read == api.PublicReadData:
		r.good(what, "anybody may read bills, politicians, votes, search, feeds and exports")
	case read == api.PublicReadAll:
		r.warn(what, "anybody may read everything except keys, sessions and the audit log, with the logs of runs",
			"PUBLIC_READ=data opens the data alone")
	case !off:
		r.good(what, "is off: everything needs a key or a session")
	}
}

// schedule checks whether a schedule is running and whether its last tick fired.
func (r *examination) schedule(s api.Schedule, workers bool) {
	what, ticks := "schedule "+s.Name, "explorer schedules ticks "+s.Name
	if !s.Running {
		r.warn(what, "is stopped", "explorer schedules start "+s.Name)
		return
	}
	var last time.Time // accounted for
	if s.ChangedAt != nil {
		last = *s.ChangedAt
	}
	if t := s.LastTick; t != nil {
		if t.Status == api.TickStatusFailure {
			r.bad(what, "could not start its job: "+text(t.Message), ticks)
			return
		}
		if t.ScheduledFor.After(last) {
			last = t.ScheduledFor
		}
	}
	now := time.Now()
	due, err := cron.LastDue(s.Cron, s.TimeZone, now)
	switch {
	case err != nil:
		r.bad(what, err.Error(), "")
	case !workers:
		r.bad(what, "is running, but does not fire: no worker is alive", "explorer worker")
	case due.After(last) && now.Sub(due) > time.Minute:
		r.bad(what, "is running, but did not fire at "+when(&due), ticks+"; look at the log of the workers")
	case len(s.NextTicks) > 0:
		r.good(what, "is running; next at "+when(&s.NextTicks[0]))
	default:
		r.good(what, "is running")
	}
}

// automation checks the sensors, the channels of alerts and the open alerts.
func (c *doctorCmd) automation(r *examination, cl *client) {
	sensors, err := cl.ListSensorsWithResponse(r.a.ctx)
	if err != nil || sensors.JSON200 == nil {
		return
	}
	for _, s := range sensors.JSON200.Items {
		switch {
		case s.LastTick != nil && s.LastTick.Status == api.TickStatusFailure:
			r.bad("sensor "+s.Name, "failed: "+text(s.LastTick.Message), "explorer sensors ticks "+s.Name)
		case s.Running:
			r.good("sensor "+s.Name, "is running")
		default:
			r.warn("sensor "+s.Name, "is stopped", "explorer sensors start "+s.Name)
		}
	}
	channels, err := cl.ListAlertChannelsWithResponse(r.a.ctx)
	if err != nil || channels.JSON200 == nil {
		return
	}
	if len(channels.JSON200.Items) == 0 {
		r.warn("alerts", "go nowhere", "declare a channel by ALERTS, and try it with `explorer alerts test`")
	}
	open, limit := true, 20
	alerts, err := cl.ListAlertsWithResponse(r.a.ctx, &api.ListAlertsParams{Open: &open, Limit: &limit})
	if err != nil || alerts.JSON200 == nil {
		return
	}
	for _, a := range alerts.JSON200.Items {
		r.warn("alert", a.Title+" since "+when(&a.OpenedAt), "explorer alerts --open")
	}
}

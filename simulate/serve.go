package simulate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
	_ "time/tzdata" // Ottawa's offsets, on machines without a time zone database too
)

// Handler serves both sources and the controls under one address:
//
//	/bills/                     openparliament.ca: use the address itself as OPENPARLIAMENT_URL
//	/politicians/               the same
//	/votes/                     the same
//	/legisinfo/                 LEGISinfo: use the address with /legisinfo as LEGISINFO_URL
//	/control/stats              GET: what was asked
//	/control/reset              POST: forget that
//	/control/clock?as_of=DAY    POST: move the clock
//	/control/faults?500=0.1...  POST: misbehave; see Faults
//	/control/members?slug=S...  POST: a member joins another party (party=P), or leaves the House (left=true)
func (w *World) Handler(f Faults) http.Handler {
	g := newGate(f)
	mux := http.NewServeMux()
	served := w.openParliament()
	openParliament := g.wrap("openparliament", true, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !g.current().Slashless {
			served.ServeHTTP(rw, r)
			return
		}
		a := &answer{header: rw.Header(), status: http.StatusOK}
		served.ServeHTTP(a, r)
		rw.WriteHeader(a.status)
		_, _ = rw.Write(ownAddresses.ReplaceAll(a.body.Bytes(), []byte(`"$1$2"`)))
	}))
	for _, list := range []string{"/bills", "/politicians", "/votes"} {
		mux.Handle(list, openParliament) // 404, without the last slash
		mux.Handle(list+"/", openParliament)
	}
	mux.Handle("/{$}", openParliament)
	legisinfo := g.wrap("legisinfo", false, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		f := g.current()
		if r.URL.Query().Get("moved") != "" {
			f.Bare, f.Session = "", ""
		}
		w.legisinfo(rw, r, f)
	}))
	mux.Handle("/legisinfo/", legisinfo)
	mux.Handle("/LegisInfo/", legisinfo)
	w.addControls(mux, g)
	return mux
}

// addControls adds the addresses under /control/ (see Handler).
func (w *World) addControls(mux *http.ServeMux, g *gate) {
	mux.HandleFunc("GET /control/stats", func(rw http.ResponseWriter, _ *http.Request) {
		v := w.view()
		writeJSON(rw, map[string]any{
			"as_of": w.Today().Format(time.DateOnly), "bills": len(v.bills), "session": v.current,
			"openparliament": g.snapshot("openparliament"), "legisinfo": g.snapshot("legisinfo"),
		})
	})
	mux.HandleFunc("POST /control/reset", func(rw http.ResponseWriter, _ *http.Request) {
		g.reset()
		writeJSON(rw, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("POST /control/clock", func(rw http.ResponseWriter, r *http.Request) {
		day, err := time.Parse(time.DateOnly, r.URL.Query().Get("as_of"))
		if err != nil {
			http.Error(rw, "as_of: want YYYY-MM-DD", http.StatusBadRequest)
			return
		}
		w.SetDay(day)
		writeJSON(rw, map[string]any{"as_of": day.Format(time.DateOnly), "bills": len(w.view().bills)})
	})
	mux.HandleFunc("POST /control/members", func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		left, err := strconv.ParseBool(cmp.Or(q.Get("left"), "false"))
		if err != nil || !w.ChangeMember(q.Get("slug"), q.Get("party"), left) {
			http.Error(rw, "want slug=, of a member, with party= or left=true", http.StatusBadRequest)
			return
		}
		writeJSON(rw, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("POST /control/faults", func(rw http.ResponseWriter, r *http.Request) {
		f, err := g.change(r.URL.Query())
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(rw, f)
	})
}

// ownAddresses are those that openparliament.ca gives of itself.
var ownAddresses = regexp.MustCompile(`"(/[a-z]+[^"?]*)/(\?[^"]*)?"`)

// encode writes JSON as both sources do, with < and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

func writeJSON(rw http.ResponseWriter, v any) {
	body, err := encode(v)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = rw.Write(body) //nolint:gosec // JSON, and the client went away if it cannot be written
}

func badRequest(rw http.ResponseWriter, format string, args ...any) {
	http.Error(rw, fmt.Sprintf(format, args...), http.StatusBadRequest)
}

var ottawa = func() *time.Location {
	l, err := time.LoadLocation("America/Toronto")
	if err != nil { // tzdata is compiled in
		panic(err)
	}
	return l
}()

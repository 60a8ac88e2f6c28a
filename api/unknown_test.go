package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// What a newer server may say: a value outside of an enum, and a field that is not listed.
const newValue, newField = "of_a_newer_server", "field_of_a_newer_server"

// sample makes a value of a schema that has everything, and what the contract does not know.
func sample(t *testing.T, ref *openapi3.SchemaRef) any {
	t.Helper()
	s := ref.Value
	switch {
	case len(s.OneOf)+len(s.AnyOf) > 0:
		t.Fatal("this test does not know alternatives yet")
	case len(s.Enum) > 0:
		return newValue
	case s.Type.Is("array"):
		return []any{sample(t, s.Items), sample(t, s.Items)}
	case s.Type.Is("string"):
		switch s.Format {
		case "date-time":
			return "2026-06-18T12:00:00Z"
		case "uuid":
			return "0197841c-2a00-7aaa-8000-000000000001"
		}
		return "text"
	case s.Type.Is("integer"):
		return 7
	case s.Type.Is("number"):
		return 0.5
	case s.Type.Is("boolean"):
		return true
	}
	made := map[string]any{}
	for _, part := range s.AllOf {
		object, _ := sample(t, part).(map[string]any)
		maps.Copy(made, object)
	}
	for name, of := range s.Properties {
		made[name] = sample(t, of)
	}
	if s.AdditionalProperties.Schema != nil {
		made["key"] = sample(t, s.AdditionalProperties.Schema)
	} else {
		made[newField] = map[string]any{"deep": []any{1, nil}}
	}
	return made
}

// TestUnknown answers every operation with what the contract does not know.
func TestUnknown(t *testing.T) {
	t.Parallel()
	spec, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	tested, values := 0, 0
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			for status, answer := range op.Responses.Map() {
				for media, content := range answer.Value.Content {
					if media != "application/json" && media != "application/problem+json" {
						continue
					}
					code, err := strconv.Atoi(status)
					if err != nil {
						code = http.StatusInternalServerError // default
					}
					body, err := json.Marshal(sample(t, content.Schema))
					if err != nil {
						t.Fatal(err)
					}
					values += answered(t, fmt.Sprintf("%s %s, %s", method, path, status), op, code, media, body)
					tested++
				}
			}
		}
	}
	if tested < 100 || values < 100 {
		t.Errorf("%d answers with %d values were tested", tested, values)
	}
}

// answered calls an operation whose answer is given, and counts the values that were read from it. It is long, because
// it makes the call and reads its answer by reflection.
func answered(t *testing.T, what string, op *openapi3.Operation, code int, media string, body []byte) (values int) {
	t.Helper()
	client, err := api.NewClientWithResponses("http://test", api.WithHTTPClient(doer(func(r *http.Request) *http.Response {
		return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {media}},
			Body: io.NopCloser(bytes.NewReader(body)), Request: r}
	})))
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ToUpper(op.OperationID[:1]) + op.OperationID[1:] + "WithResponse"
	call := reflect.ValueOf(client).MethodByName(name)
	if !call.IsValid() {
		t.Fatalf("%s: the client has no %s", what, name)
	}
	args := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < call.Type().NumIn()-1; i++ { // without the context, and the editors at the end
		arg := reflect.New(call.Type().In(i))
		switch of := arg.Elem(); {
		case of.Kind() == reflect.String:
			of.SetString("x")
		case of.Kind() == reflect.Pointer:
			of.Set(reflect.New(of.Type().Elem())) // parameters
		case op.RequestBody != nil:
			raw, err := json.Marshal(sample(t, op.RequestBody.Value.Content["application/json"].Schema))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(raw, arg.Interface()); err != nil {
				t.Fatalf("%s: the body: %v", what, err)
			}
		}
		args = append(args, arg.Elem())
	}
	out := call.Call(args)
	if err, _ := out[1].Interface().(error); err != nil {
		t.Errorf("%s: %v", what, err)
		return 0
	}
	answer := out[0].Elem()
	if raw := answer.FieldByName("Body").Bytes(); !bytes.Equal(raw, body) {
		t.Errorf("%s: the body is %s, want %s", what, raw, body)
	}
	for i := range answer.NumField() {
		field := answer.Field(i)
		if name := answer.Type().Field(i).Name; name == "Body" || name == "HTTPResponse" ||
			field.Kind() == reflect.Pointer && field.IsNil() {
			continue
		}
		read, err := json.Marshal(field.Interface())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bytes.Count(read, []byte(`"`+newValue+`"`)), bytes.Count(body,
			[]byte(`"`+newValue+`"`)); got != want {
			t.Errorf("%s: %d of %d new values were read: %s", what, got, want, read)
		}
		return bytes.Count(read, []byte(`"`+newValue+`"`))
	}
	t.Errorf("%s: nothing was read", what)
	return 0
}

type doer func(*http.Request) *http.Response

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r), nil }

// TestUnknownMessages follows a stream with messages in between that are no events.
func TestUnknownMessages(t *testing.T) {
	t.Parallel()
	const strange = ": comment\n\nretry: 1000\n\nevent: new\ndata: not JSON\n\n" +
		"event: new\ndata: 7\n\nevent: new\ndata: {\"some\": \"thing\"}\n\n"
	event := func(id int) string {
		return fmt.Sprintf("id: %d\nevent: new\ndata: {\"id\": %d, \"type\": \"new\", \"level\": \"%s\", \"%s\": true}\n\n",
			id, id, newValue, newField)
	}
	serve := func() (api.ClientInterface, *[]string) {
		var from []string
		parts := []string{strange + event(1) + strange, event(2)}
		client, err := api.NewClient("http://test", api.WithHTTPClient(doer(func(r *http.Request) *http.Response {
			from = append(from, r.Header.Get("Last-Event-ID"))
			if len(parts) == 0 {
				return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}
			}
			part := parts[0]
			parts = parts[1:]
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(part)), Request: r}
		})))
		if err != nil {
			t.Fatal(err)
		}
		return client, &from
	}
	client, from := serve()
	var ids []int64
	for e, err := range api.FollowRun(t.Context(), client, "x", 0) {
		if err != nil || string(e.Level) != newValue {
			t.Fatalf("%+v, %v", e, err)
		}
		ids = append(ids, e.ID)
	}
	if fmt.Sprint(ids, *from) != "[1 2] [ 1 2]" {
		t.Errorf("events %v, asked from %q", ids, *from)
	}
	client, _ = serve()
	n := 0
	for raw, err := range api.FollowRunRaw(t.Context(), client, "x", 0) {
		if err != nil || !strings.Contains(string(raw), newField) {
			t.Errorf("%s, %v", raw, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestProblemOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status             int
		body, kind, detail string
	}{
		{422, `{"type": "urn:new", "title": "New", "status": 422, "detail": "no", "errors": [], "field_of_a_newer_server": 1}`, "urn:new", "no"},
		{409, `{"title": "Only this", "errors": null}`, "about:blank", "http://test/bills answered 409 x"},
		{422, `{"title": "Odd", "errors": "many"}`, "about:blank", "http://test/bills answered 422 x"},
		{502, `<h1>Bad Gateway</h1>`, "about:blank", "http://test/bills answered 502 x"},
		{404, `["not", "a", "problem"]`, "about:blank", "http://test/bills answered 404 x"},
		{520, ``, "about:blank", "http://test/bills answered 520 x"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://test/bills", nil)
		if err != nil {
			t.Fatal(err)
		}
		p := api.ProblemOf(&http.Response{StatusCode: c.status, Status: fmt.Sprintf("%d x", c.status), Request: request},
			[]byte(c.body))
		if p.Status != c.status || p.Type != c.kind || p.Detail != c.detail || p.Error() == "" && c.status != 520 {
			t.Errorf("%d %s: %+v", c.status, c.body, p)
		}
	}
}

// Example_unknown reads an answer of a newer server: a value that this version does not list is there as it came, and a
// field that it does not know is in the answer's Body.
func Example_unknown() {
	newer := doer(func(r *http.Request) *http.Response {
		body := `{"id": "45-1/C-5", "home_chamber": "joint", "votes_total": 13}`
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(body)), Request: r}
	})
	client, err := api.NewClientWithResponses("http://localhost:8080", api.WithHTTPClient(newer))
	if err != nil {
		panic(err)
	}
	bill, err := client.GetBillWithResponse(context.Background(), "45-1", "C-5", nil)
	if err != nil {
		panic(err)
	}
	if bill.JSON200 == nil {
		panic(errors.New("no bill"))
	}
	fmt.Println(bill.JSON200.HomeChamber, bill.JSON200.HomeChamber.Valid())
	var more struct {
		VotesTotal int `json:"votes_total"`
	}
	if err := json.Unmarshal(bill.Body, &more); err != nil {
		panic(err)
	}
	fmt.Println(more.VotesTotal)
	// Output:
	// joint false
	// 13
}

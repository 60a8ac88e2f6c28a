package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// emptyItems is the JSON of a list without items.
var emptyItems = []byte(`"items":[]`)

// streamLists writes lists item by item. The generated code would encode the whole list into memory first, and a client
// with many concurrent requests for lists could exhaust it.
func streamLists(f api.StrictHandlerFunc, _ string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		response, err := f(c, request)
		if err != nil || response == nil {
			return response, err
		}
		list := reflect.ValueOf(response)
		if list.Kind() != reflect.Struct || !strings.HasSuffix(list.Type().Name(), "200JSONResponse") {
			return response, nil
		}
		items := list.FieldByName("Items")
		if !items.IsValid() || items.Kind() != reflect.Slice || items.Len() == 0 {
			return response, nil
		}
		empty := reflect.New(list.Type()).Elem()
		empty.Set(list)
		empty.FieldByName("Items").Set(reflect.MakeSlice(items.Type(), 0, 0))
		envelope, err := json.Marshal(empty.Interface())
		if err != nil || bytes.Count(envelope, emptyItems) != 1 {
			return response, nil //nolint:nilerr // encoding the whole list returns the error
		}
		before, after, _ := bytes.Cut(envelope, emptyItems)
		first, err := json.Marshal(items.Index(0).Interface()) // an error can still be answered
		if err != nil {
			return nil, err
		}
		w := c.Response()
		w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
		w.WriteHeader(http.StatusOK)
		out := bufio.NewWriterSize(w, 16<<10)
		_, _ = out.Write(before) // Flush returns the error
		_, _ = out.WriteString(`"items":[`)
		_, _ = out.Write(first)
		enc := json.NewEncoder(out)
		for i := 1; i < items.Len() && err == nil; i++ {
			_ = out.WriteByte(',')
			err = enc.Encode(items.Index(i).Interface())
		}
		_ = out.WriteByte(']')
		_, _ = out.Write(after)
		_ = out.WriteByte('\n')
		if out.Flush() == nil && err != nil {
			panic(http.ErrAbortHandler) // the list is incomplete and must not look complete
		}
		return nil, nil // the answer has been written
	}
}

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

// emptyItems is what a list without items has in its JSON.
var emptyItems = []byte(`"items":[]`)

// streamLists writes lists as they are encoded, one item after the other. The generated code would encode all of them
// into memory first, and one client that asks for many lists at once would take all that there is.
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
			return response, nil //nolint:nilerr // encoding the whole says what is wrong
		}
		before, after, _ := bytes.Cut(envelope, emptyItems)
		first, err := json.Marshal(items.Index(0).Interface()) // so that what is wrong can still be said
		if err != nil {
			return nil, err
		}
		w := c.Response()
		w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
		w.WriteHeader(http.StatusOK)
		out := bufio.NewWriterSize(w, 16<<10)
		_, _ = out.Write(before) // it says so when it is flushed
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
			panic(http.ErrAbortHandler) // the list is cut off, and must not look whole
		}
		return nil, nil // written, as far as somebody reads
	}
}

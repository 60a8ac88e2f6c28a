package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// contract returns the embedded contract. The generator changes operation ids into Go names; contract restores those of
// openapi.yaml.
var contract = sync.OnceValues(func() (*openapi3.T, error) {
	spec, err := api.GetSpec()
	if err != nil {
		return nil, fmt.Errorf("the contract: %w", err)
	}
	for _, item := range spec.Paths.Map() {
		for _, op := range item.Operations() {
			op.OperationID = strings.ToLower(op.OperationID[:1]) + op.OperationID[1:]
		}
	}
	return spec, nil
})

var contractJSON = sync.OnceValues(func() ([]byte, error) {
	spec, err := contract()
	if err != nil {
		return nil, err
	}
	return json.Marshal(spec)
})

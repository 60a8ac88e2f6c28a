// Package api is generated from openapi.yaml: the types of the contract, the Echo server interface, the Go client and
// the contract itself.
package api

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config ../oapi-codegen.yaml ../openapi.yaml

// Package sdk generates the clients from openapi.yaml: TypeScript in typescript/, Python in python/.
// The Go client is sdk/go, on package api.
package sdk

//go:generate ./typescript/generate
//go:generate ./python/generate

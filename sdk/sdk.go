// Package sdk holds the clients that are generated from openapi.yaml for other languages: TypeScript in typescript/,
// Python in python/. The Go client is package api.
package sdk

//go:generate ./typescript/generate
//go:generate ./python/generate

# Parliament Explorer. `make help` lists the targets.

.PHONY: help generate lint test race bench build fuzz

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-10s %s\n", $$1, $$2}'

build: ## Build the binary
	go build -trimpath -ldflags "-s -w" -o explorer .

generate: ## Make the generated code anew from openapi.yaml and db/queries
	go generate ./...

lint: ## Vet and golangci-lint
	go vet ./...
	golangci-lint run

test: ## The tests
	go test ./...

race: ## The tests under the race detector
	go test -race ./...

bench: ## Measure speed and memory, with the machine's own limits beside the figures (about five minutes)
	EXPLORER_BENCH=1 go test -count=1 -v -timeout 20m -run TestBench ./cli

fuzz: ## Fuzz the parsers and the merge for a minute
	go test -run xxx -fuzz FuzzMerge -fuzztime 60s -fuzzminimizetime 1s ./parliament

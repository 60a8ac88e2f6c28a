# Parliament Explorer. `make help` lists the targets.

.PHONY: help contract-fuzz generate lint test race bench build chaos year fuzz faults hostile ui sdk e2e screenshots bench-ui

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-14s %s\n", $$1, $$2}'

build: ## Build the binary
	go build -trimpath -ldflags "-s -w" -o explorer .

generate: ## Generate code from openapi.yaml and the queries in */internal/sql (the SDKs need Node.js and Python)
	go generate ./...

ui: ## Check, test and build the web UI that is embedded in the binary (needs Node.js)
	cd sdk/typescript && npm ci
	cd web && npm ci && npm run check && npm test && npm run build

e2e: ## Test the web UI in a browser with the real program (needs Chromium; CHROMIUM is the path of another one)
	cd web && npm run e2e

bench-ui: ## Measure the web UI in a browser (about a minute)
	cd web && BENCH=1 npm run e2e -- bench

screenshots: ## Take the screenshots of docs/web-ui.md
	cd web && SCREENSHOTS=1 npm run e2e -- docs

sdk: ## Test the SDKs with the real program (needs Node.js and Python)
	cd sdk/typescript && npm ci && npm run check && npm test
	cd sdk/python && python3 -m venv .venv-test && .venv-test/bin/pip install -q '.[test]' && .venv-test/bin/mypy && .venv-test/bin/pytest -q

lint: ## Run go vet and golangci-lint
	go vet ./...
	golangci-lint run

test: ## Run the tests
	go test ./...

race: ## Run the tests with the race detector
	go test -race ./...

bench: ## Measure speed and memory, and the limits of the machine for comparison (about a quarter of an hour)
	EXPLORER_BENCH=1 go test -count=1 -v -timeout 60m -run TestBench ./e2e

chaos: ## Kill, freeze and restart processes for five minutes, then check every table; CHAOS_SEED and EXPLORER_CHAOS (a duration) are options
	EXPLORER_CHAOS=$${EXPLORER_CHAOS:-5m} go test -count=1 -v -timeout 30m -run TestChaos ./e2e

faults: ## Count the outcomes of runs under faults of Postgres: full disk, full WAL, no connections, a serializable role, restarts; EXPLORER_FAULTS (the duration of each), FAULTS_RUNS and FAULTS_SEED are options; the full disk needs root on Linux
	EXPLORER_FAULTS=$${EXPLORER_FAULTS:-30s} go test -count=1 -v -timeout 30m -run TestFaults ./e2e

hostile: ## Run 2,000 hostile clients beside a normal one for five minutes; EXPLORER_HOSTILE (a duration) is an option
	EXPLORER_HOSTILE=$${EXPLORER_HOSTILE:-5m} go test -count=1 -v -timeout 30m -run 'TestHostile|TestShippedLimits' ./e2e

contract-fuzz: ## Send generated requests for every operation of the contract with schemathesis; EXAMPLES (for each operation) and SEED are options (needs Python)
	.ci/contract

FUZZTIME ?= 60s
fuzz: ## Run every fuzz target for FUZZTIME (60s); failing inputs are stored in testdata/fuzz
	@for target in $$(grep -rl '^func Fuzz' --include='*_test.go' . | grep -v node_modules | xargs grep -ho '^func Fuzz[A-Za-z]*' | sed 's/func //' | sort); do \
	  package=$$(dirname $$(grep -rl "^func $$target(" --include='*_test.go' . | grep -v node_modules)); \
	  echo "== $$package $$target"; go test -run xxx -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$package || exit 1; \
	done

year: ## Simulate a year of runs with retention, then measure pages and the size of the database (about an hour); EXPLORER_YEAR is the number of runs a day
	EXPLORER_YEAR=$${EXPLORER_YEAR:-23000} go test -count=1 -v -timeout 4h -run TestYear ./e2e

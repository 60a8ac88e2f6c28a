# Parliament Explorer. `make help` lists the targets.

.PHONY: help contract-fuzz generate lint test race bench build chaos year fuzz faults hostile ui sdk e2e screenshots bench-ui

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-10s %s\n", $$1, $$2}'

build: ## Build the binary
	go build -trimpath -ldflags "-s -w" -o explorer .

generate: ## Make the generated code anew from openapi.yaml and the queries in */internal/sql (wants Node.js and Python for the SDKs)
	go generate ./...

ui: ## Build the web UI that the binary carries (wants Node.js)
	cd sdk/typescript && npm ci
	cd web && npm ci && npm run check && npm test && npm run build

e2e: ## The web UI in a browser, against the real program (wants Chromium; CHROMIUM names another one)
	cd web && npm run e2e

bench-ui: ## Measure the web UI in a browser (about a minute)
	cd web && BENCH=1 npm run e2e -- bench

screenshots: ## Make the pictures of docs/web-ui.md anew
	cd web && SCREENSHOTS=1 npm run e2e -- docs

sdk: ## Check the SDKs against the real program (wants Node.js and Python)
	cd sdk/typescript && npm ci && npm run check && npm test
	cd sdk/python && python3 -m venv .venv-test && .venv-test/bin/pip install -q '.[test]' && .venv-test/bin/mypy && .venv-test/bin/pytest -q

lint: ## Vet and golangci-lint
	go vet ./...
	golangci-lint run

test: ## The tests
	go test ./...

race: ## The tests under the race detector
	go test -race ./...

bench: ## Measure speed and memory, with the machine's own limits beside the figures (about five minutes)
	EXPLORER_BENCH=1 go test -count=1 -v -timeout 20m -run TestBench ./e2e

chaos: ## Five minutes of kills, freezes and restarts, then an independent checker; CHAOS_SEED and EXPLORER_CHAOS (a duration) change it
	EXPLORER_CHAOS=$${EXPLORER_CHAOS:-5m} go test -count=1 -v -timeout 30m -run TestChaos ./e2e

faults: ## Disk full, WAL full, connections full, a serializable role, restarts of Postgres, under load; EXPLORER_FAULTS (how long each lasts), FAULTS_RUNS and FAULTS_SEED change it; root on Linux gets a small disk
	EXPLORER_FAULTS=$${EXPLORER_FAULTS:-30s} go test -count=1 -v -timeout 30m -run TestFaults ./e2e

hostile: ## 2,000 hostile clients beside a normal one for five minutes; EXPLORER_HOSTILE (a duration) changes it
	EXPLORER_HOSTILE=$${EXPLORER_HOSTILE:-5m} go test -count=1 -v -timeout 30m -run 'TestHostile|TestShippedLimits' ./e2e

contract-fuzz: ## Ask a server for everything in its contract with schemathesis; EXAMPLES of each operation, SEED makes others (wants Python)
	.ci/contract

FUZZTIME ?= 60s
fuzz: ## Fuzz every parser of outside data, FUZZTIME (60s) each; what it finds stays in testdata/fuzz
	@for target in $$(grep -rl '^func Fuzz' --include='*_test.go' . | grep -v node_modules | xargs grep -ho '^func Fuzz[A-Za-z]*' | sed 's/func //' | sort); do \
	  package=$$(dirname $$(grep -rl "^func $$target(" --include='*_test.go' . | grep -v node_modules)); \
	  echo "== $$package $$target"; go test -run xxx -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$package || exit 1; \
	done

year: ## A year of runs with retention on, then how fast pages are and how large the database is (about an hour); EXPLORER_YEAR is how many runs a day
	EXPLORER_YEAR=$${EXPLORER_YEAR:-23000} go test -count=1 -v -timeout 4h -run TestYear ./e2e

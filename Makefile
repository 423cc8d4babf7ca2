# Tidemark's targets. `make` alone lists them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory

CACHE            ?= $(if $(TIDEMARK_CACHE),$(TIDEMARK_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/tidemark)
GOLANGCI_VERSION := v2.15.0
GOLANGCI         := $(CACHE)/bin/golangci-lint-$(GOLANGCI_VERSION)

HELM_VERSION       := v3.22.0
HELM               := $(CACHE)/bin/helm-$(HELM_VERSION)
# Later ones need a newer Go than go.mod, or modules that proxies lack.
GORELEASER_VERSION := v2.16.0
COMPOSE_VERSION    := v2.16.2

# Real servers and race-enabled tests are heavy: two packages at a time.
PACKAGES  ?= ./...
TESTFLAGS ?= -p 2 -timeout 20m
FUZZTIME  ?= 30s
BENCH     ?= .

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# The commit's own date, so that one commit gives one binary.
DATE    := $(shell git log -1 --format=%cI 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

# Only the binary is compiled by the profile in cmd/tidemark: whatever tests need would be compiled once more.
export GOFLAGS := $(strip $(GOFLAGS) -pgo=off)

# Packages whose tests start real servers are those that import deploy/testenv.
LIST_TESTS = go list -f '{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}' $(PACKAGES)

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | \
	  while IFS=$$'\t' read -r target text; do printf '  \033[1m%-11s\033[0m %s\n' "$$target" "$$text"; done

.PHONY: build
build: ## build bin/tidemark
	go build -pgo=auto -trimpath -ldflags '$(LDFLAGS)' -o bin/tidemark ./cmd/tidemark

.PHONY: run
run: build ## build, then run the demo (everything in one process)
	bin/tidemark demo

.PHONY: servers
servers: ## install what the tests need: Java, Redis, Kafka, Prometheus (idempotent)
	@deploy/testenv/install.sh

.PHONY: test
test: servers ## everything: vet, all tests with -race on real servers, lint
	go vet $(PACKAGES)
	go test -race -vet=off $(TESTFLAGS) $(PACKAGES)
	@$(MAKE) lint

.PHONY: test-unit
test-unit: ## only the packages that need no server
	@unit=$$($(LIST_TESTS) | { grep -v tidemark/deploy/testenv || true; } | cut -d ' ' -f 1); \
	  go test $(TESTFLAGS) $$unit

.PHONY: test-race
test-race: servers ## all tests with -race, without vet and lint
	go test -race -vet=off $(TESTFLAGS) $(PACKAGES)

.PHONY: test-e2e
test-e2e: servers ## only the packages that use real servers
	@e2e=$$($(LIST_TESTS) | { grep tidemark/deploy/testenv || true; } | cut -d ' ' -f 1); \
	  go test $(TESTFLAGS) $$e2e

# The whole catalogue, mutations too; what was seen is written to streams/FAULTS.md.
.PHONY: test-faults
test-faults: servers ## crash, cut and confuse it: every fault of the catalogue
	TIDEMARK_TEST_FAULTS=all TIDEMARK_TEST_FAULTS_TABLE="$(CURDIR)/streams/FAULTS.md" \
	  go test -count=1 -timeout 60m ./deploy/faults/... ./pkg/failpoint
	go test -count=1 -tags failpoints ./pkg/failpoint

# Minutes, as times are waited for; what was seen is written to deploy/prometheus/ALERTS.md.
.PHONY: test-alerts
test-alerts: servers ## make each alert fire by its fault under a real Prometheus
	TIDEMARK_TEST_ALERTS=all TIDEMARK_TEST_ALERTS_TABLE="$(CURDIR)/deploy/prometheus/ALERTS.md" \
	  go test -count=1 -timeout 20m -run 'TestAlerts$$' ./deploy/faults

$(HELM):
	@mkdir -p $(@D)
	@echo "building helm $(HELM_VERSION) (once)"
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	  GOBIN="$$dir" GOFLAGS= go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION); \
	  mv -f "$$dir/helm" $@

.PHONY: test-chart
test-chart: servers $(HELM) ## lint and render the Helm chart with helm itself
	TIDEMARK_TEST_HELM="$(HELM)" go test -count=1 ./deploy/helm

# What `docker compose config` does, by the library in it, and without Docker.
.PHONY: test-compose
test-compose: ## check deploy/compose by the Compose specification's own loader
	cd deploy/compose && GOFLAGS= go run github.com/compose-spec/compose-go/v2/cmd@$(COMPOSE_VERSION) compose.yaml >/dev/null

# Builds for this machine only, and publishes nothing.
.PHONY: release-check
release-check: ## check .goreleaser.yaml with goreleaser itself (builds it: minutes)
	GOFLAGS= go run github.com/goreleaser/goreleaser/v2@$(GORELEASER_VERSION) check

MINUTES ?= 30
.PHONY: soak
soak: servers ## random faults for MINUTES (30); TIDEMARK_TEST_SEED repeats a run
	TIDEMARK_TEST_SOAK=$(MINUTES)m go test -count=1 -timeout 0 -v -run TestRandomFaults ./deploy/faults

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (30s), or MINUTES=10
	deploy/fuzz.sh $(if $(filter file,$(origin MINUTES)),$(FUZZTIME),$(MINUTES)m)

# The whole program on real servers: about a quarter of an hour with --rounds 1, three times that by default. BENCHFLAGS as in
# BENCHFLAGS='--only catch-up --rounds 1'; `bin/tidemark bench --help` lists them.
.PHONY: bench
bench: build servers ## measure it on real servers: throughput, latency, memory
	bin/tidemark bench $(BENCHFLAGS)

.PHONY: bench-peers
bench-peers: BENCHFLAGS ?= --only catch-up,latency --verify
bench-peers: build servers ## the same beside Kafka Streams and Flink, on the same topics
	@TIDEMARK_CACHE="$(CACHE)" deploy/peers/build.sh
	TIDEMARK_CACHE="$(CACHE)" bin/tidemark bench --peers streams,streams-eos,flink $(BENCHFLAGS)

# By what a backlog keeps busy. Worth doing when hot code has moved; compare builds before and after by `make bench`.
.PHONY: profile
profile: servers ## measure anew by what the binary is compiled (cmd/tidemark/default.pgo)
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	  go build -trimpath -o "$$dir/tidemark" ./cmd/tidemark; \
	  "$$dir/tidemark" bench --only catch-up --rounds 1 --no-verify --profile "$$dir/cpu"; \
	  go tool pprof -proto "$$dir/cpu" >cmd/tidemark/default.pgo

.PHONY: bench-go
bench-go: ## Go benchmarks; BENCH selects by pattern
	go test -run '^$$' -bench '$(BENCH)' -benchmem -p 1 $(PACKAGES)

# Installed once into the cache, under its version: a new pin builds a new one.
$(GOLANGCI):
	@mkdir -p $(@D)
	@echo "building golangci-lint $(GOLANGCI_VERSION) (once)"
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	  GOBIN="$$dir" GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION); \
	  mv -f "$$dir/golangci-lint" $@

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint and formatting, see .golangci.yml
	$(GOLANGCI) run $(PACKAGES)

.PHONY: fmt
fmt: $(GOLANGCI) ## format all Go files (gofumpt, grouped imports)
	$(GOLANGCI) fmt

.PHONY: generate
generate: ## rewrite generated files
	go generate ./...

# Works on a copy, so that it tells nothing but the truth in a dirty tree too.
.PHONY: verify
verify: ## generated files are fresh and go.mod is tidy
	go mod tidy -diff
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	  git ls-files -z --cached --others --exclude-standard --deduplicate | \
	    while IFS= read -r -d '' f; do if [ -e "$$f" ]; then printf '%s\0' "$$f"; fi; done >"$$dir/files"; \
	  mkdir "$$dir/before" "$$dir/after"; \
	  for to in before after; do tar -c --null -T "$$dir/files" | tar -x -C "$$dir/$$to"; done; \
	  (cd "$$dir/after" && GOFLAGS=-buildvcs=false go generate ./...); \
	  diff -r "$$dir/before" "$$dir/after" || { echo "generated files are stale: run make generate" >&2; exit 1; }

.PHONY: clean
clean: ## remove what was built here (not the cache of servers and tools)
	rm -rf bin dist

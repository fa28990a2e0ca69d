# make help lists what there is to do.

# With 1, a test whose server can't be started fails; with 0 it is skipped and says so.
REDBUD_REQUIRE_SERVERS ?= 1
export REDBUD_REQUIRE_SERVERS

# The systems that the code is compiled for, besides being tested on one of them.
SYSTEMS := linux darwin windows

# How long make fuzz spends on each target.
FUZZTIME ?= 10s

# The tools have a go.mod of their own, which keeps their dependencies out of everybody else's.
STATICCHECK := go tool -modfile=internal/tools/go.mod staticcheck

.DEFAULT_GOAL := help
.PHONY: help test lint bench docs fuzz cover deps

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The steps run one after the other even under make -j: they share the processors anyway, and a lint error is to be seen
# before the tests take their minutes.
# The race detector leaves out SQLite, which is C turned into Go: it would take seven times as long to say nothing.
# The second line has what means little with the detector. It makes sync.Pool forget at random, so what is allocated is counted without
# it; the suites of the SQL engines would take half an hour, and their ordeal runs in other processes; random calls and programs run on one
# engine after the other, so that with it they are a tenth as many.
RACE := -race -gcflags='modernc.org/...=-race=false'

test: ## install what the tests need, lint, run all tests with the race detector
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory lint
	go test $(RACE) -timeout 15m ./...
	go test -run 'Alloc|SQL|Ordeal|Random' ./...

lint: ## gofmt, vet, staticcheck, and compile for every system
	@files=$$(gofmt -s -l .) || exit 1; \
	if [ -n "$$files" ]; then echo "gofmt -s would change:"; echo "$$files"; exit 1; fi
	go vet ./...
	$(STATICCHECK) ./...
	@for os in $(SYSTEMS); do \
		echo "CGO_ENABLED=0 GOOS=$$os go build ./... && go vet ./..."; \
		CGO_ENABLED=0 GOOS=$$os go build ./... && CGO_ENABLED=0 GOOS=$$os go vet ./... || exit 1; \
	done

bench: ## compare with redis-server; options go in ARGS="..."
	go run ./internal/bench $(ARGS)

docs: ## write the generated pages anew
	go generate ./...

fuzz: ## fuzz every target for FUZZTIME each (10s)
	@grep -roE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . | sed 's|/[^/]*:func | |' | sort -u | \
	while read -r dir target; do \
		echo "$$dir $$target"; \
		(cd "$$dir" && go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) .) </dev/null || exit 1; \
	done

cover: ## run all tests and show which lines they reach (cover.html)
	go test -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -html=cover.out -o cover.html
	@go tool cover -func=cover.out | tail -n 1

deps: ## install the packages that the tests need, where there is apt-get
	@scripts/install-test-deps

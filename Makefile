# The targets that people use; CI calls the same ones.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# urfave_cli_no_docs leaves out man page templates that the program does not use.
GOBUILD = CGO_ENABLED=0 go build -trimpath -tags urfave_cli_no_docs -ldflags '-s -w -X main.version=$(VERSION)'
PLATFORMS = linux/amd64 linux/arm64

.PHONY: build test race fuzz lint upstream dist bench clean

build: ## the static binary
	$(GOBUILD) -o auditpatch .

test: ## what the README says
	go test ./...

race:
	CGO_ENABLED=1 go test -race -short ./...

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME
	@set -e; for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

lint: ## formatting, vet, tidy modules
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these'; exit 1; }
	go vet ./...
	go mod tidy -diff

upstream: ## our tables against the code of Kubernetes itself
	cd e2e/upstream && go test ./...
	cd e2e/upstream/kubelet && go test ./...

dist: ## static binaries with checksums in dist/
	rm -rf dist && mkdir dist
	@set -e; for p in $(PLATFORMS); do \
	  echo "dist/auditpatch-$${p%/*}-$${p#*/}"; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(GOBUILD) -o dist/auditpatch-$${p%/*}-$${p#*/} .; done
	cd dist && sha256sum auditpatch-* > SHA256SUMS && cat SHA256SUMS

bench: build ## a run that changes nothing, beside yq doing the same
	./e2e/bench-noop.sh

clean:
	rm -rf dist auditpatch

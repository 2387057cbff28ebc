# The targets that people use; CI calls the same ones.
# Naming the git directory spares its question whose it is, and keeps a checkout without one, in
# the checkout of something else, from taking that one's version.
GIT = git --git-dir=.git
VERSION ?= $(shell $(GIT) describe --tags --always --abbrev=12 --dirty 2>/dev/null || echo dev)
# urfave_cli_no_docs leaves out man page templates that the program does not use. The version
# is stamped by -X, so nothing else of the checkout goes into the binary.
STRIP = -s -w
# Packages that no loop of ours calls are compiled without inlining, which spares 2.5 MB.
# The scanner of events, the manifest and the evaluation of policies are not among them: a run
# takes as long as before.
COLD = k8s.io/api/... k8s.io/apimachinery/... k8s.io/client-go/... k8s.io/kube-openapi/... \
	k8s.io/component-base/... k8s.io/apiserver/pkg/apis/... sigs.k8s.io/structured-merge-diff/... \
	github.com/google/gnostic-models/... google.golang.org/... github.com/prometheus/... \
	go.opentelemetry.io/... golang.org/x/net/... golang.org/x/text/... github.com/cilium/ebpf/... \
	github.com/fxamacker/cbor/... github.com/go-openapi/... github.com/urfave/cli/... \
	github.com/json-iterator/go/... github.com/modern-go/... go.yaml.in/yaml/v2 \
	sigs.k8s.io/kustomize/kyaml/... sigs.k8s.io/json/... k8s.io/klog/... k8s.io/utils/... \
	github.com/blang/semver/... github.com/go-logr/... net/... encoding/asn1 encoding/xml encoding/gob \
	text/template/... log/slog/... crypto/... math/big vendor/golang.org/x/... \
	auditpatch/internal/cli auditpatch/internal/change auditpatch/internal/rollout \
	auditpatch/internal/rehearsal auditpatch/internal/handover auditpatch/internal/inspect \
	auditpatch/internal/apiserver auditpatch/internal/ansible auditpatch/internal/cli/policies \
	auditpatch/internal/policy/compose auditpatch/internal/policy/expect \
	auditpatch/internal/policy/verdict auditpatch/internal/policy/difference \
	auditpatch/internal/policy/lint auditpatch/internal/answer/roles auditpatch/internal/clusterlock \
	auditpatch/internal/proc auditpatch/internal/proof auditpatch/internal/kubelet auditpatch/presets \
	auditpatch/internal/cli/answers auditpatch/internal/answer/page auditpatch/internal/answer/changes \
	auditpatch/internal/node auditpatch/internal/webhook auditpatch/internal/target \
	auditpatch/internal/session auditpatch/internal/lazyregexp auditpatch/internal/typed \
	auditpatch/patch auditpatch/patch/auditflags auditpatch/patch/webhookconfig
GOBUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags urfave_cli_no_docs $(COLD:%=-gcflags='%=-l') -ldflags '$(STRIP) -X main.version=$(VERSION)'
PLATFORMS = linux/amd64 linux/arm64
# Modules of their own, so that what they need does not weigh on the program.
NESTED = upstream upstream/kubelet release/sbom release/packages tools

.PHONY: help build test race fuzz lint vulncheck upstream upstream-all dist check-dist bench size clean collection

build: ## the static binary ./auditpatch
	$(GOBUILD) -o auditpatch .

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

test: ## what the README says
	go test ./...

# The tests start thousands of programs; each would wait a second at its end for more reports.
race: ## the short tests under the race detector; needs a C compiler
	GORACE=atexit_sleep_ms=20 CGO_ENABLED=1 go test -race -short -timeout 30m ./...

.PHONY: simnode
simnode: ## every scenario on simulated nodes; Linux, root
	go test -count=1 -v -run TestScenarios ./internal/simnode -all

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME
	FUZZTIME=$(FUZZTIME) ./tools/fuzz.sh

lint: ## formatting, vet, staticcheck, errcheck, tidy modules, a line in make help for each target
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these'; exit 1; }
	go vet ./...
	go vet -tags e2e ./e2e/...
	go vet -tags dist ./release/...
	@# Without assembly, as on processors other than amd64.
	go vet -tags purego ./internal/auditlog/vector
	@# The commands that need no node, such as enable --manifest -, are also for an engineer's own machine.
	GOOS=darwin go vet ./...
	./tools/lint.sh
	./tools/targets.sh
	go mod tidy -diff
	@set -e; for dir in $(NESTED); do for mod in $$(cd $$dir && ls *.mod); do \
	  echo "go mod tidy -diff -modfile=$$dir/$$mod"; (cd $$dir && go mod tidy -diff -modfile=$$mod); \
	  done; done

vulncheck: ## known vulnerabilities in what the program calls; asks vuln.go.dev
	./tools/vulncheck.sh

upstream: ## our tables against the code of Kubernetes itself, the newest and the oldest release
	cd upstream && go test -timeout 20m ./...
	cd upstream && go test -timeout 20m -modfile=go130.mod ./...
	cd upstream/kubelet && go test -timeout 40m ./...

upstream-all: upstream ## the same with the releases at which something has changed between
	cd upstream && go test -timeout 20m -modfile=go135.mod ./...
	cd upstream/kubelet && go test -timeout 40m -modfile=go136.mod ./...

# The same commit and the same Go give the same bytes of dist/, wherever and whenever. So what the
# caller's surroundings say of the build does not count.
dist: export GOFLAGS = -buildvcs=false
dist: export GOWORK = off
dist: export GOEXPERIMENT =
dist: export GOFIPS140 = off
dist: export GOAMD64 = v1
dist: export GOARM64 = v8.0
dist: export CGO_ENABLED = 0
dist: export LC_ALL = C
dist: export SOURCE_DATE_EPOCH ?= $(shell $(GIT) log -1 --format=%ct 2>/dev/null || echo 0)
dist: ## all that is released, with checksums, in dist/
	rm -rf dist && mkdir dist
	cd release/sbom && go build -trimpath -ldflags=-buildid= -o ../../bin/ tool
	cd release/packages && go build -trimpath -ldflags=-buildid= -o ../../bin/ tool
	@set -e; for p in $(PLATFORMS); do \
	  file=dist/auditpatch-$${p%/*}-$${p#*/}; echo $$file; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(GOBUILD) -o $$file .; \
	  ./release/sbom.sh $$file $(VERSION); done
	go run ./release/docs -dir dist -version $(VERSION) -date $(SOURCE_DATE_EPOCH)
	./release/packages/package.sh $(VERSION) $(PLATFORMS)
	chmod -R u=rwX,go=rX dist
	cd dist && sha256sum -- * > SHA256SUMS && cat SHA256SUMS

check-dist: ## what make dist has made, and that it can be made again
	go test -tags dist -count=1 ./release/

bench: build ## a run that changes nothing, beside yq on the same file
	./bench/noop.sh

size: STRIP = -w
size: ## what each package takes of the binary, the largest first
	@mkdir -p bin
	@$(GOBUILD) -o bin/auditpatch.symbols .
	@go run ./release/size bin/auditpatch.symbols

clean: ## what the other targets have made
	rm -rf dist bin auditpatch

.PHONY: e2e
e2e: build ## the binary in real kind clusters; e2e/README.md has the variables
	./e2e/run.sh

.PHONY: e2e-versions
e2e-versions: build ## the same on each minor release of Kubernetes from 1.30 on: hours, and a table
	./e2e/versions.sh

.PHONY: e2e-answers
e2e-answers: build ## the answers in an audit log of a real kube-apiserver on loopback, and what DuckDB says
	./e2e/answers.sh

.PHONY: e2e-policies
e2e-policies: ## what policies record, asked of a real kube-apiserver on loopback; as any user
	./e2e/policies.sh

.PHONY: e2e-page
e2e-page: build ## reports of events --html in a headless Chromium
	./e2e/page.sh

collection: dist ## the Ansible collection with the programs of make dist, in bin/
	cp dist/auditpatch-linux-*64 ansible/roles/auditpatch/files/
	ansible-galaxy collection build --force ansible --output-path bin

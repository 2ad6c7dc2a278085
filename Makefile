# SPDX-License-Identifier: Apache-2.0

SHELL = /bin/bash
.SHELLFLAGS = -o pipefail -c
PREFIX ?= /usr/local

# Kernels that make test boots, and those of the matrix; scripts/fetch-kernel knows more.
KERNELS ?= 6.1 6.12 newest
OTHERS  ?= 6.12/amd64 6.12/cloud-arm64
MATRIX  ?= 6.12 5.10 6.1 6.18 6.19 7.0 7.1 newest $(foreach v,6.1 6.12 newest,$v/amd64 $v/rt-amd64) 6.12/cloud-arm64 6.1/cloud-arm64 newest/cloud-arm64

.PHONY: build install demo test unit kernel matrix kernel-build bench pgo release release-test samples generate clean fleet fleet-millions formats screens FORCE

# What is built to be used knows by a profile what reading spends its time on, see bench/README.md; tests are built without.
PGO = -pgo=dtrec.pgo

build:
	@scripts/install-go
	CGO_ENABLED=0 go build -trimpath $(PGO) -o dtrec .

# dtrec for guests of another architecture lies beside dtrec.
dtrec-arm64 dtrec-amd64: dtrec-%: build
	CGO_ENABLED=0 GOARCH=$* go build -trimpath $(PGO) -o $@ .

# What was built is copied: so make runs as a user, and make install as root.
install: dtrec
	install -D -m 755 dtrec "$(DESTDIR)$(PREFIX)/bin/dtrec"

dtrec:
	@$(MAKE) build

# Record the workloads, here if this kernel allows it and else in a virtual
# machine, and show the report.
demo: build
	scripts/demo

# Everything, kernel tests included.
test: unit kernel

# All that the tests build is compiled once: without cgo, as what guests run has to be. What is vetted with the tag is vetted
# without, and not again by go test.
unit kernel: export CGO_ENABLED = 0

unit:
	@scripts/install-go
	scripts/install-tools
	scripts/install-mermaid .mermaid
	fmt=$$("$$(go env GOROOT)/bin/gofmt" -l .) && { test -z "$$fmt" || { echo "$$fmt"; exit 1; }; }
	go vet -tags kernel ./...
	DTREC_ALL_TOOLS=1 go test -vet=off -timeout 30m ./...
	go -C export/parquet vet ./...
	go -C export/parquet test -vet=off ./...

kernel:
	@scripts/install-go
	scripts/install-qemu
	kernels=$$(scripts/fetch-kernel $(KERNELS)) && others=$$(scripts/fetch-kernel $(OTHERS)) && \
	DTREC_KERNELS=$$(echo $$kernels | tr ' ' ':') DTREC_OTHER_KERNELS=$$(echo $$others | tr ' ' ':') go test -vet=off -tags kernel -run Kernel -count=1 -p 2 -parallel 2 -timeout 60m -v ./test ./internal/vm | scripts/tally

# Every workload on every kernel: the verdicts side by side, in docs/kernels.md too, and the diffs against the first of each architecture.
matrix: build dtrec-arm64
	scripts/install-qemu
	scripts/matrix $(MATRIX)

# dtrec beside perf, trace-cmd and bpftrace: bench/README.md. PART is record, loss, read or go, or several with commas;
# BENCH are flags of the program, such as "-rounds 4000".
PART  ?= record,loss,read,go
BENCH ?=
bench: build
	scripts/install-qemu
	scripts/install-peers
	scripts/bench "$(PART)" $(BENCH)

# dtrec.pgo anew, from what make bench PART=read recorded; a minute.
RECORDINGS ?= $${XDG_CACHE_HOME:-$$HOME/.cache}/dtrec/bench/read
pgo:
	@scripts/install-go
	go run ./bench/profile -o dtrec.pgo "$(RECORDINGS)/tmpfs.pb" "$(RECORDINGS)/second.pb"

# Archives, packages and checksums, in dist/: the same bytes for the same commit.
RELEASE_GO = $(shell sed -n 's/.*goRelease *= "\(.*\)"/\1/p' release/main.go)
release:
	@scripts/install-go
	GOTOOLCHAIN=$(RELEASE_GO) go run ./release -o dist

# Two builds have one hash, and the .deb works in a bare Debian.
release-test:
	@scripts/install-go
	scripts/install-packagers
	GOTOOLCHAIN=$(RELEASE_GO) go test -tags release -count=1 -timeout 30m -v ./release
# Parquet tables of many recordings: a module of its own.
dtrec-parquet: FORCE
	@scripts/install-go
	CGO_ENABLED=0 go -C export/parquet build -trimpath -o ../../dtrec-parquet .

# The exports, opened by what they are for: the queries of docs/fleet.md and the tables by DuckDB, profiles by go tool pprof,
# those and the folded stacks by speedscope.
fleet:
	@scripts/install-go
	scripts/install-tools
	scripts/install-readers .readers
	DTREC_READERS="$$PWD/.readers" go -C export/parquet test -count=1 -run 'Queries|TextTables' -v .
	DTREC_READERS="$$PWD/.readers" DTREC_ALL_TOOLS=1 go test -count=1 -run 'Pprof|Speedscope|Perfetto' -v ./export

# The table of docs/exports.md: what each format takes.
formats:
	@scripts/install-go
	DTREC_FORMATS=1 go -C export/parquet test -count=1 -run FormatsTable -v .

# The same of 100 recordings of a million events: memory and times.
FLEET ?= 100
fleet-millions:
	@scripts/install-go
	scripts/install-readers .readers
	DTREC_READERS="$$PWD/.readers" DTREC_FLEET=$(FLEET) go -C export/parquet test -count=1 -timeout 2h -run Millions -v .

# Pictures of the pages, as the tests see them, below screens/; README shows two of them.
screens:
	scripts/install-tools
	scripts/install-mermaid .mermaid
	mkdir -p screens
	DTREC_ALL_TOOLS=1 DTREC_SCREENS="$$PWD/screens" go test -count=1 -run Browser ./report/html
	mv screens/page-*.webp docs/

FORCE:

# The recordings in traces/, anew.
samples: build
	scripts/install-qemu
	set -e; for s in 5.10:linux-5.10 6.1:linux-6.1 6.12:run1 6.18:linux-6.18 7.0:linux-7.0 7.3:linux-7.3; do \
		k=$$(scripts/fetch-kernel $${s%:*}); \
		./dtrec vm --kernel $$k -- record --workload all -o traces/$${s#*:}.pb; \
	done
	scripts/record-git 6.12 test/git.pb
	chmod 644 traces/*.pb
	DTREC_UPDATE=1 go test -count=1 -run Readme ./test

# The generated code: trace.pb.go and the eBPF objects.
generate:
	scripts/install-tools
	go generate ./schema ./bpf

# The smallest kernel that dtrec can record, built from Debian's source, booted and recorded.
kernel-build: build
	scripts/install-qemu
	scripts/kernel-build

clean:
	rm -rf dtrec demo.pb stage2.md matrix dist

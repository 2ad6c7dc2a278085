# SPDX-License-Identifier: Apache-2.0

SHELL = /bin/bash
.SHELLFLAGS = -o pipefail -c
PREFIX ?= /usr/local

# Kernels that make test boots, and those of the matrix; scripts/fetch-kernel knows more.
KERNELS ?= 6.1 6.12 newest
MODULAR ?= 6.12/amd64
MATRIX  ?= 5.10 6.1 6.12 6.18 6.19 7.0 7.1 newest

.PHONY: build install demo test unit kernel matrix bench samples generate clean fleet FORCE

build:
	@scripts/install-go
	CGO_ENABLED=0 go build -trimpath -o dtrec .

# dtrec for guests of another architecture lies beside dtrec.
dtrec-arm64 dtrec-amd64: dtrec-%: build
	CGO_ENABLED=0 GOARCH=$* go build -trimpath -o $@ .

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

unit:
	@scripts/install-go
	scripts/install-tools
	fmt=$$("$$(go env GOROOT)/bin/gofmt" -l .) && { test -z "$$fmt" || { echo "$$fmt"; exit 1; }; }
	go vet ./...
	go vet -tags kernel ./...
	DTREC_ALL_TOOLS=1 go test -timeout 30m ./...
	go -C export/parquet vet ./...
	go -C export/parquet test ./...

kernel: build
	scripts/install-qemu
	kernels=$$(scripts/fetch-kernel $(KERNELS)) && export DTREC_MODULAR=$$(scripts/fetch-kernel $(MODULAR)) && \
	DTREC_KERNELS=$$(echo $$kernels | tr ' ' ':') go test -tags kernel -run Kernel -count=1 -p 1 -parallel 2 -timeout 45m -v ./test ./internal/vm | scripts/tally

# Every workload on every kernel: the verdicts side by side, and the diffs against 6.12.
matrix: build
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

# Parquet tables of many recordings: a module of its own.
dtrec-parquet: FORCE
	@scripts/install-go
	CGO_ENABLED=0 go -C export/parquet build -trimpath -o ../../dtrec-parquet .

# The queries of docs/fleet.md, by DuckDB.
fleet:
	@scripts/install-go
	scripts/install-duckdb .duckdb
	DTREC_DUCKDB="$$PWD/.duckdb" go -C export/parquet test -count=1 -run Queries -v .

FORCE:

# The recordings in traces/, anew.
samples: build
	scripts/install-qemu
	set -e; for s in 5.10:linux-5.10 6.1:linux-6.1 6.12:run1 6.18:linux-6.18 7.0:linux-7.0 7.3:linux-7.3; do \
		k=$$(scripts/fetch-kernel $${s%:*}); \
		./dtrec vm --kernel $$k -- record --workload all -o traces/$${s#*:}.pb; \
	done
	chmod 644 traces/*.pb
	DTREC_UPDATE=1 go test -count=1 -run Readme ./test

# The generated code: trace.pb.go and the eBPF objects.
generate:
	scripts/install-tools
	go generate ./schema ./bpf

clean:
	rm -rf dtrec demo.pb stage2.md matrix

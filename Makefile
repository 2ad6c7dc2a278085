# SPDX-License-Identifier: Apache-2.0

# Kernels that make test boots; scripts/fetch-kernel knows more.
KERNELS ?= 6.1 6.12 newest

.PHONY: build demo test unit kernel bench samples generate clean

build:
	CGO_ENABLED=0 go build -trimpath -o dtrec .

# Record the workloads, here if this kernel allows it and else in a virtual
# machine, and show the report.
demo: build
	scripts/demo

# Everything, kernel tests included.
test: unit kernel

unit:
	scripts/install-tools
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	go vet -tags kernel ./...
	DTREC_ALL_TOOLS=1 go test ./...

kernel: build
	scripts/install-qemu
	kernels=$$(scripts/fetch-kernel $(KERNELS)) && \
	DTREC_KERNELS=$$(echo $$kernels | tr ' ' ':') go test -tags kernel -run Kernel -count=1 -p 1 -timeout 45m -v . ./vm

bench:
	go test -run '^$$' -bench . -benchmem ./schema ./replay ./report

# The recordings in traces/, anew.
samples: build
	scripts/install-qemu
	set -e; for s in 6.1:linux-6.1 6.12:run1 7.3:linux-7.3; do \
		k=$$(scripts/fetch-kernel $${s%:*}); \
		./dtrec vm --kernel $$k -- record --workload all -o traces/$${s#*:}.pb; \
	done
	chmod 644 traces/*.pb

# The generated code: trace.pb.go and the eBPF objects.
generate:
	scripts/install-tools
	go generate ./schema ./bpf

clean:
	rm -f dtrec demo.pb stage2.md

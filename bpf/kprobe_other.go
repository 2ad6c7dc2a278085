// SPDX-License-Identifier: Apache-2.0

//go:build linux && !386 && !amd64 && !arm64

package bpf

// _KprobeBytes is empty on architectures for which kprobe.bpf.c is not built, as regs.h does not know their
// registers.
var _KprobeBytes []byte

// SPDX-License-Identifier: Apache-2.0

//go:build linux && !386 && !amd64 && !arm64

package bpf

// _KprobeBytes is empty where kprobe.bpf.c is not built: regs.h does not know the
// registers.
var _KprobeBytes []byte

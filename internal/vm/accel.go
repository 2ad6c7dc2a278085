// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// kvmLimit is how long a guest under KVM may take to reach init, the first time on a machine. It takes about
// a second; where KVM is broken (some nested set-ups open /dev/kvm and hang) it never gets there.
const kvmLimit = 20 * time.Second

// runAccelerated runs the guest with KVM if that works, otherwise with TCG. KVM is tried once per machine,
// and the result is remembered until the machine is rebooted. A guest that fails under both says nothing
// about KVM.
func runAccelerated(ctx context.Context, p plan, memory kvmMemory) (message, error) {
	if p.Accel == "" {
		p.Accel = memory.recall()
	}
	if p.Accel != "" {
		return runWithRetry(ctx, p, firstLimit)
	}
	p.Accel = accelKVM
	done, err := runOnce(ctx, p, memory.limit)
	if done.Alive {
		memory.remember(accelKVM)
		return done, err
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return done, err
	}
	p.Accel = accelTCG
	done, err = runWithRetry(ctx, p, firstLimit)
	if done.Alive {
		p.Notice("KVM starts no guest on this machine: using TCG, which is slower")
		memory.remember(accelTCG)
	}
	return done, err
}

// runWithRetry boots a guest again if it hung within the limit. Under TCG that was seen once in some hundred
// boots on a loaded host, while the CPUs were brought up.
func runWithRetry(ctx context.Context, p plan, limit time.Duration) (message, error) {
	done, err := runOnce(ctx, p, limit)
	if errors.Is(err, errHung) && ctx.Err() == nil {
		p.Notice("the guest stood still while it booted: booting it again")
		return runOnce(ctx, p, bootLimit)
	}
	return done, err
}

// runOnce creates a machine, runs it and unpacks the outputs on the host. It returns init's last message.
func runOnce(ctx context.Context, p plan, boot time.Duration) (message, error) {
	m, err := newMachine(ctx, p)
	if err != nil {
		return message{}, err
	}
	defer m.Close()
	done, err := m.run(ctx, boot)
	if err == nil {
		err = unpackOutputs(m.disks[outputDisk], done, p.Outputs, p.Patterns)
	}
	return done, err
}

// kvmMemory remembers whether KVM works on this machine. It is only a convenience: without a cache directory
// KVM is tried each time.
type kvmMemory struct {
	device string
	file   string // holds the boot id and the accelerator; empty if there is no cache directory
	// limit is how long a guest under KVM may take to reach init before KVM counts as broken.
	limit time.Duration
}

// kvmMemoryOf returns the memory for the machine this process runs on. Guests of other architectures have no KVM.
func kvmMemoryOf(a *arch) kvmMemory {
	m := kvmMemory{limit: kvmLimit}
	if cache, err := os.UserCacheDir(); err == nil {
		m.file = filepath.Join(cache, "dtrec", "kvm")
	}
	if a.goarch == runtime.GOARCH {
		m.device = "/dev/kvm"
	}
	return m
}

// recall returns the accelerator to use: TCG if KVM cannot even be opened, what was remembered for this boot
// of the host, or "" if it must be found out.
func (k kvmMemory) recall() string {
	f, err := os.OpenFile(k.device, os.O_RDWR, 0)
	if err != nil {
		return accelTCG
	}
	f.Close()
	text, _ := os.ReadFile(k.file)
	boot, accel, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if boot != bootID() || (accel != accelKVM && accel != accelTCG) {
		return ""
	}
	return accel
}

func (k kvmMemory) remember(accel string) {
	if k.file == "" || os.MkdirAll(filepath.Dir(k.file), 0o755) != nil {
		return
	}
	_ = os.WriteFile(k.file, []byte(bootID()+" "+accel+"\n"), 0o644)
}

// bootID returns the id of this boot of the host.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
}

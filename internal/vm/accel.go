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
// a second; where KVM is broken (some nested set-ups open /dev/kvm and hang) it never does.
const kvmLimit = 20 * time.Second

// runAccelerated runs the guest with KVM where that works and with TCG elsewhere. A machine's KVM is tried once:
// what came out is remembered until it boots anew. Guests that fail under both say nothing about KVM.
func runAccelerated(ctx context.Context, c Config, e emulator, p plan, memory kvmMemory) (message, error) {
	accel := c.Accel
	if accel == "" {
		accel = memory.recall()
	}
	if accel != "" {
		done, _, err := runTwice(ctx, c, e, p, accel, firstLimit)
		return done, err
	}
	done, alive, err := runOnce(ctx, c, e, p, accelKVM, memory.limit)
	if alive {
		memory.remember(accelKVM)
		return done, err
	}
	if ctx.Err() != nil {
		return message{}, err
	}
	done, alive, err = runTwice(ctx, c, e, p, accelTCG, firstLimit)
	if alive {
		c.Notice("KVM starts no guest on this machine: using TCG, which is slower")
		memory.remember(accelTCG)
	}
	return done, err
}

// runTwice boots a guest again that stood still within the limit: under TCG that was seen once in some
// hundred boots of a loaded host, while the CPUs came up.
func runTwice(ctx context.Context, c Config, e emulator, p plan, accel string, limit time.Duration) (message, bool, error) {
	done, alive, err := runOnce(ctx, c, e, p, accel, limit)
	if errors.Is(err, errStoodStill) && ctx.Err() == nil {
		c.Notice("the guest stood still while it booted: booting it again")
		return runOnce(ctx, c, e, p, accel, bootLimit)
	}
	return done, alive, err
}

// runOnce makes a machine, runs it and brings the outputs home.
func runOnce(ctx context.Context, c Config, e emulator, p plan, accel string, boot time.Duration) (message, bool, error) {
	m, err := newMachine(ctx, p)
	if err != nil {
		return message{}, false, err
	}
	defer m.Close()
	done, alive, err := m.run(ctx, c, e, accel, boot)
	if err != nil {
		return message{}, alive, err
	}
	if err := bringHome(m.disks[outputDisk], done, c.Outputs, c.Patterns); err != nil {
		return message{}, alive, err
	}
	return done, alive, nil
}

// kvmMemory keeps what is known of this machine's KVM. It is a convenience: without a cache directory KVM is tried
// each time.
type kvmMemory struct {
	device string
	file   string // holds the boot id and the accelerator; empty for none
	// limit is how long a guest under KVM may take to reach init before KVM counts as broken.
	limit time.Duration
}

// thisKVM is what is known of the machine this process runs on. Guests of other architectures have no KVM.
func thisKVM(a *arch) kvmMemory {
	m := kvmMemory{limit: kvmLimit}
	if cache, err := os.UserCacheDir(); err == nil {
		m.file = filepath.Join(cache, "dtrec", "kvm")
	}
	if a.goarch == runtime.GOARCH {
		m.device = "/dev/kvm"
	}
	return m
}

// recall says which accelerator to use: TCG when KVM cannot even be opened, what was remembered for this boot of the
// host, or nothing, which means to find out.
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

// bootID identifies this boot of the host.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
}

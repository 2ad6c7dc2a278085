// SPDX-License-Identifier: Apache-2.0

//go:build linux

package doctor

import (
	"bufio"
	"os"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/bpf"
)

// distribution holds the wording of remedies for one Linux distribution.
type distribution struct {
	id, name string
	kernel   string // how to get a kernel that has what recording needs
	unlock   string // how to boot without lockdown=confidentiality
	qemu     string // how to get what dtrec vm needs
}

// distributions lists the known distributions. The last row is for all others.
var distributions = []*distribution{
	{"ubuntu", "Ubuntu", "apt install linux-image-generic (BTF since 20.10)",
		"take lockdown=confidentiality out of GRUB_CMDLINE_LINUX in /etc/default/grub, run update-grub, and reboot",
		"apt install qemu-system-x86 e2fsprogs"},
	{"debian", "Debian", "apt install linux-image-amd64 or linux-image-arm64 (BTF since Debian 11)",
		"take lockdown=confidentiality out of GRUB_CMDLINE_LINUX in /etc/default/grub, run update-grub, and reboot",
		"scripts/install-qemu"},
	{"fedora", "Fedora", "dnf install kernel-core (BTF since Fedora 31)",
		"grubby --update-kernel=ALL --remove-args=lockdown=confidentiality, and reboot", "dnf install qemu-system-x86-core e2fsprogs"},
	{"rhel", "RHEL", "dnf update kernel (RHEL 9 has Linux 5.14 with BTF; RHEL 8's 4.18 was not tried)",
		"grubby --update-kernel=ALL --remove-args=lockdown=confidentiality, and reboot", "RHEL has /usr/libexec/qemu-kvm only, which was not tried: take the trace on another machine, or build QEMU"},
	{"arch", "Arch Linux", "pacman -S linux (linux-lts, linux-hardened and linux-zen have BTF too)",
		"take lockdown=confidentiality out of the boot loader's kernel parameters, and reboot", "pacman -S qemu-system-x86 e2fsprogs"},
	{"", "no distribution dtrec knows", "use a kernel built with the options of scripts/kernel.config",
		"take lockdown=confidentiality out of the kernel's command line, and reboot", "install QEMU 9 or later and e2fsprogs"},
}

// distributionOf returns the row for the ID and ID_LIKE of os-release.
func distributionOf(id, like string) *distribution {
	for _, word := range append([]string{id}, strings.Fields(like)...) {
		if i := slices.IndexFunc(distributions, func(d *distribution) bool { return d.id == word && word != "" }); i >= 0 {
			return distributions[i]
		}
	}
	return distributions[len(distributions)-1]
}

// remedy says what helps against this lack.
func (d *distribution) remedy(lack bpf.Lack) string {
	vm := "or record in a virtual machine (" + d.qemu + "): 'dtrec vm --kernel KERNEL -- record ...'"
	switch lack {
	case bpf.LackPrivilege:
		return "run it with sudo, or give dtrec the capabilities: setcap cap_bpf,cap_perfmon,cap_syslog+ep"
	case bpf.LackBTF:
		return "use a kernel built with CONFIG_DEBUG_INFO_BTF=y: " + d.kernel + "; " + vm
	case bpf.LackLockdown:
		return d.unlock + "; " + vm
	case bpf.LackProbe:
		return "this kernel lacks a function dtrec knows, " + vm
	case bpf.LackHooks:
		return "sysctl kernel.ftrace_enabled=1, echo 1 > /sys/kernel/debug/kprobes/enabled"
	case bpf.LackPermission:
		return "have it permitted by what refuses it here, such as a security module, a sandbox or the container's policy, " + vm
	case bpf.LackFiles:
		return "raise the limit of open files: ulimit -n 1024 (that of the whole machine is sysctl fs.file-max)"
	case bpf.LackMemory:
		return "end something that takes memory, or raise the limit of the cgroup or container this runs in"
	default:
		return "use a kernel with CONFIG_BPF_SYSCALL, CONFIG_FTRACE and CONFIG_DYNAMIC_FTRACE: " + d.kernel + "; " + vm
	}
}

// Remedy says what helps against this lack, in words that fit this machine's distribution.
func Remedy(lack bpf.Lack) string {
	text, _ := os.ReadFile("/etc/os-release")
	release := fields(string(text), "=")
	return distributionOf(release["ID"], release["ID_LIKE"]).remedy(lack)
}

// symbolsOf reports whether a kallsyms file lists variables (dentry_hashtable is one) and whether it shows
// addresses.
func symbolsOf(kallsyms string) (variables, addresses bool) {
	f, err := os.Open(kallsyms)
	if err != nil {
		return false, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan() && !(variables && addresses); {
		address, rest, _ := strings.Cut(lines.Text(), " ")
		addresses = addresses || strings.Trim(address, "0") != ""
		variables = variables || strings.HasSuffix(rest, " dentry_hashtable") || strings.HasSuffix(rest, " __dentry_hashtable")
	}
	return variables, addresses
}

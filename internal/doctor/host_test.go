// SPDX-License-Identifier: Apache-2.0

//go:build linux

package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/bpf"
)

// machine creates the files of a machine below a directory and reads them. A name that ends in -> becomes a
// symbolic link.
func machine(t *testing.T, files map[string]string) host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		link, isLink := strings.CutSuffix(name, "->")
		file := filepath.Join(root, link)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil && isLink {
			err = os.Symlink(text, file)
		} else if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return readHost(root)
}

const (
	everything = "CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\nSeccomp:\t0\n"
	docker     = "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nSeccomp:\t2\n" // of docker run without options
	symbols    = "ffffffff81000000 T _stext\nffffffff82000000 D dentry_hashtable\n"
	hidden     = "0000000000000000 T _stext\n0000000000000000 D dentry_hashtable\n"
)

func TestHost(t *testing.T) {
	debian := "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n"
	tests := []struct {
		name  string
		files map[string]string
		want  []string // checks: name, state, part of the value, part of the remedy
	}{
		{"Debian, nothing wrong", map[string]string{
			"etc/os-release": debian, "proc/self/status": everything, "proc/kallsyms": symbols, "proc/self/ns/pid->": initialPIDs,
			"proc/sys/kernel/perf_event_paranoid": "3\n", "proc/sys/kernel/kptr_restrict": "0\n",
			"sys/firmware/efi/efivars/SecureBoot-8be4df61": "\x06\x00\x00\x00\x01",
		}, []string{
			"distribution|note|Debian GNU/Linux 12 (bookworm); remedies are in the words of Debian|",
			"bounding set|ok|within|", "perf events|note|kernel.perf_event_paranoid=3|", "kernel addresses|ok|kernel.kptr_restrict=0|",
			"Secure Boot|note|on|",
		}},
		{"in docker", map[string]string{
			".dockerenv": "", "proc/self/status": docker, "proc/kallsyms": hidden, "proc/sys/kernel/kptr_restrict": "1",
			"proc/self/ns/pid->": "pid:[4026532000]", "proc/sys/kernel/perf_event_paranoid": "2",
		}, []string{
			"bounding set|missing|CAP_BPF, CAP_PERFMON, CAP_SYSLOG, CAP_SYS_ADMIN|--cap-add BPF", "perf events|note|=2|",
			"kernel addresses|missing|CAP_SYSLOG|sudo", "container|note|docker; in a PID namespace|",
		}},
		{"hidden from everybody", map[string]string{
			"proc/self/status": everything, "proc/kallsyms": hidden, "proc/sys/kernel/kptr_restrict": "2",
			"proc/1/environ": "PATH=/bin\x00container=lxc\x00",
		}, []string{
			"bounding set|ok||", "perf events|unknown|CONFIG_PERF_EVENTS|",
			"kernel addresses|missing|kptr_restrict=2|sysctl kernel.kptr_restrict=1; to keep it: echo kernel.kptr_restrict=1 > /etc/sysctl.d",
			"container|note|lxc|",
		}},
		{"without variables", map[string]string{
			"proc/self/status": everything, "proc/kallsyms": "ffffffff81000000 T _stext\n", "proc/sys/kernel/kptr_restrict": "0",
		}, []string{"bounding set|ok||", "perf events|unknown||", "kernel addresses|missing|functions only|CONFIG_KALLSYMS_ALL=y"}},
	}
	for _, tt := range tests {
		checks := machine(t, tt.files).checks()
		if len(checks) != len(tt.want) {
			t.Errorf("%s: %d checks, want %d: %+v", tt.name, len(checks), len(tt.want), checks)
			continue
		}
		for i, c := range checks {
			want := strings.Split(tt.want[i], "|")
			if c.Name != want[0] || string(c.State) != want[1] || !strings.Contains(c.Value, want[2]) ||
				!strings.Contains(c.Remedy, want[3]) || (want[3] == "") != (c.Remedy == "") {
				t.Errorf("%s: got %+v, want %q", tt.name, c, tt.want[i])
			}
		}
	}
}

// Each distribution has its own words for the remedies, which also serve the distributions like it.
func TestDistributions(t *testing.T) {
	for release, want := range map[string]string{
		"ID=debian": "Debian", "ID=ubuntu\nID_LIKE=debian": "Ubuntu", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"": "Ubuntu",
		"ID=fedora": "Fedora", "ID=\"rhel\"\nID_LIKE=\"fedora\"": "RHEL", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"": "RHEL",
		"ID=arch": "Arch Linux", "ID=manjaro\nID_LIKE=arch": "Arch Linux", "ID=nixos": "no distribution dtrec knows", "": "no distribution dtrec knows",
	} {
		h := machine(t, map[string]string{"etc/os-release": release})
		if h.distribution.name != want {
			t.Errorf("%q: taken for %s, want %s", release, h.distribution.name, want)
		}
	}
	lacks := []bpf.Lack{bpf.LackPrivilege, bpf.LackBTF, bpf.LackLockdown, bpf.LackTracing, bpf.LackProbe, bpf.LackHooks, bpf.LackPermission, bpf.LackFiles, bpf.LackMemory}
	var said []string
	for _, d := range distributions {
		for _, lack := range lacks {
			text := d.remedy(lack)
			if strings.Contains(text, "CONFIG_BPF_SYSCALL") != (lack == bpf.LackTracing) {
				t.Errorf("another kernel is the remedy for lack %d: %s", lack, text)
			}
			if lack == bpf.LackBTF || lack == bpf.LackLockdown {
				if !strings.Contains(text, "dtrec vm") {
					t.Errorf("%s: %s", d.name, text)
				}
				said = append(said, text)
			}
		}
	}
	slices.Sort(said)
	if n := len(slices.Compact(said)); n != 2*len(distributions) {
		t.Errorf("%d remedies of %d distributions are their own", n, len(distributions))
	}
}

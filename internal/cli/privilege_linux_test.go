// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const nobody = 65534

func buildInto(t *testing.T, dir string) (binary string) {
	t.Helper()
	binary = filepath.Join(dir, "dtrec")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// TestRecordWithoutProc checks that where /proc is missing, as in a chroot, that is the remedy.
func TestRecordWithoutProc(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot takes root")
	}
	dir := t.TempDir()
	buildInto(t, dir)
	cmd := exec.Command("/dtrec", "record", "-o", "run.pb", "--", "/dtrec")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", []string{"PATH=/"}, &syscall.SysProcAttr{Chroot: dir}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitTrouble || !strings.Contains(string(out), "find dtrec itself") || !strings.Contains(string(out), "remedy: mount /proc") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestRecordWithoutPrivilege checks that recording without privilege ends before it begins: with two
// lines, exit code 2 and no file.
func TestRecordWithoutPrivilege(t *testing.T) {
	dir, err := os.MkdirTemp("", "dtrec")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary := buildInto(t, dir)
	cmd := exec.Command(binary, "record", "-o", filepath.Join(dir, "run.pb"), "--", "true")
	if os.Geteuid() == 0 {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitTrouble {
		t.Errorf("ended with %v, want exit code %d", err, exitTrouble)
	}
	if got := stderr.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "\n  remedy: ") {
		t.Errorf("stderr is not two lines, cause and remedy:\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "run.pb")); err == nil {
		t.Error("a file was left")
	}
	t.Log(stderr.String())
}

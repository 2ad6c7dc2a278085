// SPDX-License-Identifier: Apache-2.0

//go:build release

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clone clones the committed state into a new directory, because Go finds no version in a worktree.
func clone(t *testing.T, from, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	must(t, exec.Command("git", "clone", "-q", from, dir))
	return dir
}

func must(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// makeRelease makes a release in a checkout.
func makeRelease(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", `umask "$MASK"; exec go run ./release -o dist "$@"`, "release"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "MASK=022"), env...)
	must(t, cmd)
	return filepath.Join(dir, "dist")
}

// TestTwoBuildsOneHash builds twice, the second time in another directory, with an empty build cache, another
// umask and another time zone.
func TestTwoBuildsOneHash(t *testing.T) {
	checkout := clone(t, "..", "one")
	one := makeRelease(t, checkout, nil)
	two := makeRelease(t, clone(t, checkout, "another/place"), []string{"GOCACHE=" + t.TempDir(), "MASK=077", "TZ=Asia/Tokyo", "LC_ALL=C"})
	for _, dir := range []string{one, two} {
		sums := exec.Command("sha256sum", "--check", "--strict", sumsFile)
		sums.Dir = dir
		must(t, sums)
	}
	a, err := os.ReadFile(filepath.Join(one, sumsFile))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(two, sumsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) || bytes.Count(a, []byte("\n")) != 6 {
		t.Errorf("two archives, .debs and .rpms each, one hash each, are wanted:\n%s\n%s", a, b)
	}
	for _, rpm := range []string{"x86_64", "aarch64"} {
		files, _ := filepath.Glob(filepath.Join(one, "*."+rpm+".rpm"))
		if len(files) != 1 {
			t.Fatalf("%s: %v", rpm, files)
		}
		list := must(t, exec.Command("rpm", "-qp", "--list", files[0]))
		for _, want := range []string{"/usr/bin/dtrec\n", "/usr/share/man/man1/dtrec-report.1.gz\n", "/usr/share/dtrec/examples/run1.pb\n"} {
			if !strings.Contains(list, want) {
				t.Errorf("%s: without %s", files[0], want)
			}
		}
	}
}

// TestRpmInEmptyRoot installs the package in an empty root, whose database has no other packages, runs dtrec
// from there and removes it again.
func TestRpmInEmptyRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("rpm --root takes root")
	}
	dist := makeRelease(t, clone(t, "..", "one"), nil, "-arch", "amd64", "-package", "rpm")
	files, _ := filepath.Glob(filepath.Join(dist, "*.rpm"))
	if len(files) != 1 {
		t.Fatalf("packages: %v", files)
	}
	root := t.TempDir()
	rpm := func(args ...string) string {
		return must(t, exec.Command("rpm", append([]string{"--root", root, "--dbpath", "/var/lib/rpm"}, args...)...))
	}
	rpm("--initdb")
	rpm("--install", "--nodeps", files[0])
	rpm("--verify", "dtrec")
	program, trace := filepath.Join(root, "usr/bin/dtrec"), filepath.Join(root, "usr/share/dtrec/examples/run1.pb")
	if said := must(t, exec.Command(program, "check", trace)); !strings.Contains(said, " 0 refuted, ") {
		t.Error(said)
	}
	rpm("--erase", "dtrec")
	for _, gone := range []string{program, filepath.Join(root, "usr/share/dtrec"), filepath.Join(root, "usr/share/doc/dtrec")} {
		if _, err := os.Stat(gone); err == nil {
			left, _ := filepath.Glob(gone + "/*")
			t.Errorf("%s is left: %v", gone, left)
		}
	}
}

// inBareRoot is what is done in a Debian that has only the essential packages. $1 is its directory, DEB the
// package.
const inBareRoot = `set -e
touch "$BEGUN"
cp "$DEB" "$1/root/dtrec.deb"
chroot "$1" dpkg --install /root/dtrec.deb
as_user() { chroot --userspec=nobody:nogroup "$1" env -i PATH=/usr/bin:/bin HOME=/nonexistent sh -c "cd /tmp && $2"; }
as_user "$1" "dtrec --version" >"$ANSWER.version"
as_user "$1" "dtrec report /usr/share/dtrec/examples/run1.pb" >"$ANSWER"
as_user "$1" "dtrec check /usr/share/dtrec/examples/linux-7.3.pb"
as_user "$1" "dtrec diff /usr/share/dtrec/examples/run1.pb /usr/share/dtrec/examples/linux-7.3.pb >/dev/null; test \$? = 1"
chroot "$1" dpkg --purge dtrec
test ! -e "$1/usr/bin/dtrec" && test ! -e "$1/usr/share/dtrec"
`

// TestDebInBareRoot installs the package in a Debian made for this test and reads a trace there as nobody.
func TestDebInBareRoot(t *testing.T) {
	checkout := clone(t, "..", "one")
	dist := makeRelease(t, checkout, nil, "-arch", "amd64", "-package", "deb")
	debs, _ := filepath.Glob(filepath.Join(dist, "*.deb"))
	if len(debs) != 1 {
		t.Fatalf("packages: %v", debs)
	}
	dir := t.TempDir()
	hook, begun, answer := filepath.Join(dir, "hook"), filepath.Join(dir, "begun"), filepath.Join(dir, "answer")
	if err := os.WriteFile(hook, []byte(inBareRoot), 0o755); err != nil {
		t.Fatal(err)
	}
	where := must(t, exec.Command("bash", "-c", `cd .. && . scripts/apt.sh && codename && mirror "$(codename)"`))
	suite, uri, _ := strings.Cut(strings.TrimSpace(where), "\n")
	cmd := exec.Command("mmdebstrap", "--variant=essential", "--format=null", `--customize-hook=sh `+hook+` "$1"`, suite, "-", uri)
	cmd.Env = append(os.Environ(), "DEB="+debs[0], "BEGUN="+begun, "ANSWER="+answer)
	out, err := cmd.CombinedOutput()
	if _, never := os.Stat(begun); never != nil {
		t.Skipf("mmdebstrap makes no root here: %v\n%s", err, out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said, err := os.ReadFile(answer + ".version")
	if name := filepath.Base(debs[0]); err != nil || len(said) == 0 {
		t.Errorf("%s says version %q: %v", name, said, err)
	}
	want := exec.Command("go", "run", ".", "report", "traces/run1.pb")
	want.Dir = checkout
	report, err := os.ReadFile(answer)
	if here := must(t, want); err != nil || string(report) != strings.ReplaceAll(here, "traces/run1.pb", "/usr/share/dtrec/examples/run1.pb") {
		t.Errorf("the report of the package is not that of the checkout: %v, %d and %d bytes", err, len(report), len(here))
	}
}

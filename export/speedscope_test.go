// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Speedscope, a viewer of flame graphs, opens folded stacks and profiles: its page then has the name of the
// file as its title. For any other file it shows a dialog and waits.
func TestSpeedscope(t *testing.T) {
	readers, err := filepath.Abs(os.Getenv("DTREC_READERS"))
	if os.Getenv("DTREC_READERS") == "" || err != nil {
		t.Skip("DTREC_READERS is not set: make fleet installs speedscope and sets it")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium: scripts/install-tools has it")
	}
	trace := traces(t)["../traces/run1.pb"]
	for name, content := range map[string][]byte{"run.folded": exported(t, trace, "folded", Options{Measure: "time"}), "run.pprof": exported(t, trace, "pprof", Options{})} {
		dir := t.TempDir()
		script := filepath.Join(dir, "load.js")
		load := fmt.Sprintf("speedscope.loadFileFromBase64(%q, %q)", name, base64.StdEncoding.EncodeToString(content))
		if err := os.WriteFile(script, []byte(load), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
		defer stop()
		cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--user-data-dir="+filepath.Join(dir, "browser"),
			"--virtual-time-budget=20000", "--dump-dom", "file://"+filepath.Join(readers, "node_modules/speedscope/dist/release/index.html")+"#localProfilePath="+script)
		page, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "<title>"+name+" - speedscope</title>") {
			t.Errorf("%s: not opened: %s", name, page)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"flag"
	"log"
	"os"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// makeScene is the scripts' makescene command. It plays a scene (tracetest.Op) from stdin and writes
// its trace to a file, as it would be recorded on one of several machines.
func makeScene() {
	there := flag.Bool("there", false, "on a machine with other addresses, ids and times")
	release := flag.String("release", "", "the kernel's `release`; 7.x has other symbols and layout")
	slow := flag.Bool("slow", false, "every call takes longer")
	cut := flag.Uint64("cut", 0, "so many `events`, and no end")
	lose := flag.Uint64("lose", 0, "without the event of this `id`, and loss in its place")
	flag.Parse()
	m := tracetest.Machine{RunID: "here here here h", Unlink: true, Release: *release}
	if *there {
		m.RunID, m.Base, m.Occupied, m.PIDs, m.Later, m.OldestFirst = "there there ther", 0x0345_6700_0000, 29, 713, 77e9, true
	}
	if len(*release) > 1 && (*release)[:2] == "7." {
		m.External = 32
		m.Symbols = map[schema.Role]string{schema.RoleOpen: "do_file_open", schema.RoleKill: "dentry_kill"}
	}
	text, err := os.ReadFile("/dev/stdin")
	exitOnError(err)
	ops, err := tracetest.Scene(string(text))
	exitOnError(err)
	var buf bytes.Buffer
	w, err := schema.NewWriter(&buf, m.Header())
	exitOnError(err)
	n, moved := uint64(0), make(map[uint64]uint64) // new times by old times
	k := m.NewKernel(uint64(len(m.RunID)+int(m.PIDs)), func(e *schema.Event) {
		if *slow {
			was := e.Time
			e.Time += n * 100_000
			e.Entered, moved[was] = moved[e.Entered], e.Time
		}
		switch n++; {
		case n == *lose:
			exitOnError(w.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Count: 1, FirstNs: e.Time, LastNs: e.Time}))
		case *cut == 0 || n <= *cut:
			exitOnError(w.Append(e))
		}
	})
	k.Play(ops)
	if *cut > 0 {
		exitOnError(w.Flush())
	} else {
		exitOnError(w.Close(&schema.Footer{EndedBy: "command", Lost: min(*lose, 1)}))
	}
	exitOnError(os.WriteFile(flag.Arg(0), buf.Bytes(), 0o600))
}

// exitOnError ends makescene if there is an error.
func exitOnError(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// Places in the guest.
const (
	jobPath     = "/.dtrec/job.json" // what to do; that it is there is how InGuest knows
	stagingPath = "/.dtrec/files"    // the files taken along, until the disks are mounted
	modulesPath = "/.dtrec/modules"  // the kernel's
	workDir     = "/work"
	tmpDir      = "/tmp"
	loopDir     = "/mnt/loopfs"
	casefoldDir = "/mnt/casefold"
	binDir      = "/bin"
	homeDir     = "/root"
)

// The ports of a job, in the order that arch.ports has them; QEMU gets the console, the kernel's, before them.
const (
	stdoutPort = iota
	stderrPort
	controlPort
)

// The disks, by serial number. The order in which the kernel names them is not fixed.
const (
	tmpDisk      = "dtrec-tmp"
	workDisk     = "dtrec-work"
	loopDisk     = "dtrec-loop"
	outputDisk   = "dtrec-output"
	casefoldDisk = "dtrec-casefold"
)

// job is what Init is told to do, as JSON in the initramfs.
type job struct {
	Program string   // guest path
	Args    []string // without argv[0]
	Env     []string
	FS      string   // of /tmp and the working directory, as in Config
	Ports   []string // devices
	Buses   []string // names of those that there are disks on
	Modules struct {
		Load  []string // guest paths of modules to load, in order
		Notes []string // what is not there, for who reads of it in an error
	}
	Dirs     []string // guest paths of directories to make before the job starts
	Outputs  []string // guest paths to bring back
	Patterns bool     // as in Config
}

// message is a line of JSON from the guest's init on the control port. First comes {"Alive":true}; then either
// a message with Error, or, after the last byte of stdout and stderr is out and the outputs are on their disk or said in
// Chunks, one with Done. Nothing is said in the other direction.
type message struct {
	Alive  bool    `json:",omitempty"`
	Uptime float64 `json:",omitempty"` // with Alive: seconds since the kernel started
	Error  string  `json:",omitempty"` // why init gave up
	Lacks  bool    `json:",omitempty"` // with Error: it is ErrLacks
	Notice string  `json:",omitempty"` // for the user; the run goes on
	Chunk  []byte  `json:",omitempty"` // before Done: the next bytes of tar, where there is no output disk
	Done   bool    `json:",omitempty"`
	Exit   int     `json:",omitempty"` // with Done: the job's exit code, 128+N when killed by signal N
	Size   int64   `json:",omitempty"` // with Done: bytes of tar on the output disk, 0 when there are no outputs
}

// maxMessage bounds a message's line, in bytes.
const maxMessage = 64 << 10

func (m message) check() error {
	if m.Exit < 0 || m.Exit > 255 {
		return fmt.Errorf("%w: exit code %d", ErrDied, m.Exit)
	}
	if m.Size < 0 || m.Size > outputSize {
		return fmt.Errorf("%w: size %d", ErrBadOutput, m.Size)
	}
	return nil
}

// newJob translates what the configuration asks for into the guest's terms.
func newJob(c Config) (job, error) {
	j := job{Program: path.Join(binDir, filepath.Base(c.Program)), Args: c.Args, Env: c.Env, FS: c.FS, Patterns: c.Patterns}
	for _, output := range c.Outputs {
		if output == "" {
			return job{}, fmt.Errorf("an output without a name")
		}
		guest := guestPath(output)
		j.Outputs = append(j.Outputs, guest)
		if parent, err := os.Stat(filepath.Dir(output)); err == nil && parent.IsDir() {
			j.Dirs = append(j.Dirs, path.Dir(guest))
		}
	}
	return j, nil
}

// guestPath is where a path of the job stands in the guest's tree.
func guestPath(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(workDir, p)
}

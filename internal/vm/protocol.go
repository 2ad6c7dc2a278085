// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// Places in the guest.
const (
	jobPath     = "/.dtrec/job.json" // the job; InGuest checks that it exists
	stagingPath = "/.dtrec/files"    // the files taken along, until the disks are mounted
	modulesPath = "/.dtrec/modules"  // modules to load
	workDir     = "/work"
	tmpDir      = "/tmp"
	loopDir     = "/mnt/loopfs"
	casefoldDir = "/mnt/casefold"
	binDir      = "/bin"
	homeDir     = "/root"
)

// Indexes into a job's ports, in the order of arch.ports. QEMU gets the kernel's console before them.
const (
	stdoutPort = iota
	stderrPort
	controlPort
)

// The disks, by serial number, because the order in which the kernel names them is not fixed.
const (
	tmpDisk      = "dtrec-tmp"
	workDisk     = "dtrec-work"
	loopDisk     = "dtrec-loop"
	outputDisk   = "dtrec-output"
	casefoldDisk = "dtrec-casefold"
)

// job is what Init has to do. It is stored as JSON in the initramfs.
type job struct {
	Program string   // guest path
	Args    []string // without argv[0]
	Env     []string
	FS      string   // file system of /tmp and the working directory, as in Config
	Ports   []string // devices
	Buses   []string // names of the buses that may have the disks
	Modules struct {
		Load  []string // guest paths of modules to load, in order
		Notes []string // what is missing, to be added to errors
	}
	Dirs     []string // guest paths of directories to make before the job starts
	Outputs  []string // guest paths to bring back
	Patterns bool     // as in Config
}

// message is a line of JSON on the control port. The first one that the guest's init sends is {"Alive":true}.
// The last one has either Error, or Done after the last byte of stdout and stderr has been sent and the
// outputs are on their disk or were sent in Chunks. The host sends only Signal.
type message struct {
	Alive  bool    `json:",omitempty"`
	Uptime float64 `json:",omitempty"` // with Alive: seconds since the kernel started
	Error  string  `json:",omitempty"` // why init gave up
	Lacks  bool    `json:",omitempty"` // with Error: the error is ErrLacks
	Notice string  `json:",omitempty"` // for the user; the run goes on
	Chunk  []byte  `json:",omitempty"` // before Done, if there is no output disk: the next bytes of the tar
	Done   bool    `json:",omitempty"`
	Exit   int     `json:",omitempty"` // with Done: the job's exit code, 128+N if it was killed by signal N
	Size   int64   `json:",omitempty"` // with Done: size of the tar in bytes, 0 if there are no outputs

	Signal syscall.Signal `json:",omitempty"` // for the job's process group
}

// maxMessage bounds the length of a message's line in bytes.
const maxMessage = 64 << 10

// write writes the message as a line.
func (m message) write(w io.Writer) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

func (m message) check() error {
	if m.Exit < 0 || m.Exit > 255 {
		return fmt.Errorf("%w: exit code %d", ErrDied, m.Exit)
	}
	if m.Size < 0 || m.Size > outputSize {
		return fmt.Errorf("%w: size %d", ErrBadOutput, m.Size)
	}
	return nil
}

// newJob translates the configuration into a job with paths of the guest.
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

// guestPath returns where a path of the job is in the guest.
func guestPath(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(workDir, p)
}

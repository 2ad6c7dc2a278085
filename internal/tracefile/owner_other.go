// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package tracefile

import (
	"io/fs"
	"os"
)

func isForeign(fs.FileInfo, string, int) bool { return false }

func open(path string) (*os.File, error) { return os.Open(path) }

func checkWritable(dir string) error {
	_, err := os.Stat(dir)
	return Bare(err)
}

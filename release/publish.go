// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// sumsFile holds the checksums of everything published, in the format of sha256sum -c.
const sumsFile = "SHA256SUMS"

// publish writes the archive and the packages of a stage.
func (s *stage) publish(out string, formats []string) error {
	name := fmt.Sprintf("dtrec-%s-linux-%s", s.version, s.arch)
	archive, err := archiveOf(s.dir, name, s.date)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, name+".tar.gz"), compress(archive), 0o644); err != nil {
		return err
	}
	config, err := filepath.Abs("release/nfpm.yaml")
	if err != nil {
		return err
	}
	for _, format := range formats {
		if format == "" {
			continue
		}
		cmd := exec.Command("go", "run", nfpm, "package", "-f", config, "-p", format, "-t", out+"/")
		cmd.Dir = s.dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "VERSION="+s.version, "ARCH="+s.arch,
			fmt.Sprintf("SOURCE_DATE_EPOCH=%d", s.date.Unix()))
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	return nil
}

// archiveOf returns a tar of a directory, with all its files below one name and nothing that depends on who
// made it.
func archiveOf(dir, name string, date time.Time) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error { // in lexical order
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: path.Join(name, filepath.ToSlash(below)), Mode: int64(info.Mode().Perm()), ModTime: date, Format: tar.FormatUSTAR}
		if entry.IsDir() {
			header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
			return t.WriteHeader(header)
		}
		header.Typeflag, header.Size = tar.TypeReg, info.Size()
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		_, err = t.Write(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b.Bytes(), t.Close()
}

// writeSums writes the checksums of the files in a directory, sorted by name.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(text), entry.Name())
	}
	return os.WriteFile(filepath.Join(dir, sumsFile), []byte(sums.String()), 0o644)
}

// SPDX-License-Identifier: Apache-2.0

// Package html makes one page of a trace that needs no network and no server: what happened,
// a timeline, the lives of dentries, paths, claims with their proof, and a way to step
// through the run. The data stands in it once, compressed; the script shows it.
package html

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.tmpl style.css script
var files embed.FS

// scripts are the parts of the script, in order.
var scripts = []string{"core.js", "summary.js", "timeline.js", "dentries.js", "paths.js", "claims.js", "step.js", "search.js", "start.js"}

// Write writes the page. name is what the trace is called. The error is that of a source or
// of the writing.
func Write(w io.Writer, name string, open Source) error {
	d, packed, err := bounded(name, open)
	if err != nil {
		return err
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	var script strings.Builder
	for _, part := range scripts {
		text, err := files.ReadFile("script/" + part)
		if err != nil {
			return err
		}
		script.Write(text)
	}
	page, err := template.ParseFS(files, "page.tmpl")
	if err != nil {
		return err
	}
	return page.Execute(w, map[string]any{
		"Title":  "Linux " + d.Summary.Kernel + ": " + d.Name,
		"Policy": fmt.Sprintf("default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'", digest(script.String()), digest(string(style))),
		"Style":  template.CSS(style),
		"Script": template.JS(script.String()), //nolint:gosec // ours
		"Data":   packed,
	})
}

// WriteJSON writes the value that the page shows, as one object: docs/page.md has its fields.
func WriteJSON(w io.Writer, name string, open Source) error {
	d, _, err := bounded(name, open)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(d)
}

// mostPacked is how many bytes the packed data may have.
const mostPacked = 1_900_000

// bounded is what the page has of a trace, and that as the script wants it.
func bounded(name string, open Source) (*data, string, error) {
	for b := most; ; b = b.half() {
		d, err := collect(name, open, b)
		if err != nil {
			return nil, "", err
		}
		if d.bytes > b.text {
			continue
		}
		if packed, err := pack(d); err != nil || len(packed) <= mostPacked || b.events == 0 {
			return d, packed, err
		}
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// pack is the data as the script wants it: JSON, gzip, base64.
func pack(d *data) (string, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if err := json.NewEncoder(z).Encode(d); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(out.Bytes()), nil // it has no letter that a template would escape
}

func hexadecimal(b []byte) string { return fmt.Sprintf("%x", b) }

// hex is an address as printed everywhere, which a number of JSON could not hold.
func hex(a uint64) string {
	if a == 0 {
		return ""
	}
	return fmt.Sprintf("%#x", a)
}

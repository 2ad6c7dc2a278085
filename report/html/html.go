// SPDX-License-Identifier: Apache-2.0

// Package html writes a trace as a single page that needs neither network nor server. It shows what
// happened, a timeline, the lives of dentries, paths, claims with their proof, and lets the reader step
// through the run. The data is embedded once, compressed, and the page's script displays it.
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

// scripts lists the parts of the script in order.
var scripts = []string{"core.js", "summary.js", "timeline.js", "dentries.js", "paths.js", "claims.js", "step.js", "search.js", "start.js"}

// Write writes the page; name is the name of the trace. It returns the error of the source or of the
// writer.
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

// WriteJSON writes the value that the page shows as one JSON object. docs/page.md describes its fields.
func WriteJSON(w io.Writer, name string, open Source) error {
	d, _, err := bounded(name, open)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(d)
}

// mostPacked bounds the size of the packed data, in bytes.
const mostPacked = 1_900_000

// bounded returns the data of the page, with bounds that make it fit, and the same data packed for the
// script.
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

// pack encodes the data for the script: JSON, gzip, base64.
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
	return base64.RawURLEncoding.EncodeToString(out.Bytes()), nil // no character of this alphabet is escaped by a template
}

func hexadecimal(b []byte) string { return fmt.Sprintf("%x", b) }

// hex formats an address as dtrec prints it; empty for 0. A JSON number could not hold it exactly.
func hex(a uint64) string {
	if a == 0 {
		return ""
	}
	return fmt.Sprintf("%#x", a)
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/golden"
)

// public are the packages that a program outside this module may import. All of them are v0.
var public = []string{"schema", "replay", "report", "report/answers", "export", "redact"}

// TestPublicNames compares the names that other programs can use with testdata/api.txt, so that a
// change of them is noticed in review: must a new name be public, and do programs break that use an old
// one? DTREC_UPDATE=1 go test -run PublicNames . writes the file.
func TestPublicNames(t *testing.T) {
	var names []string
	for _, dir := range public {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".pb.go") {
				continue
			}
			names = append(names, exported(t, filepath.ToSlash(dir), file)...)
		}
	}
	slices.Sort(names)
	text := strings.Join(names, "\n") + "\n"
	golden.Lines(t, "testdata/api.txt", text)
}

// exported returns the exported names of a file, such as "schema.Reader" and "schema.Reader.Next".
func exported(t *testing.T, pkg, file string) (names []string) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	add := func(id *ast.Ident, of string) {
		if id.IsExported() {
			names = append(names, pkg+"."+of+id.Name)
		}
	}
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			of := ""
			if d.Recv != nil {
				kind := d.Recv.List[0].Type
				if star, ok := kind.(*ast.StarExpr); ok {
					kind = star.X
				}
				id, ok := kind.(*ast.Ident)
				if !ok || !id.IsExported() {
					continue
				}
				of = id.Name + "."
			}
			add(d.Name, of)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					add(s.Name, "")
				case *ast.ValueSpec:
					for _, id := range s.Names {
						add(id, "")
					}
				}
			}
		}
	}
	return names
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// roleSwitches are the switches with a case for a role, by file. What an event means is a row of
// a table (schema's catalogue, a kind of claim, a hook by role): the list only gets shorter.
var roleSwitches = map[string]int{
	"record/dmesg/name.go": 1,
	"report/absence.go":    1,
	"report/delete.go":     1,
	"report/hash.go":       1,
}

// TestRolesAreTables: a role is added by its row, and no switch asks for it.
func TestRolesAreTables(t *testing.T) {
	found := make(map[string]int)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SwitchStmt); ok && asksForRoles(s) {
				found[filepath.ToSlash(path)]++
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	files := maps.Clone(found)
	maps.Copy(files, roleSwitches)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		switch got, allowed := found[path], roleSwitches[path]; {
		case got > allowed:
			t.Errorf("%s has %d switches on roles, and %d are allowed: make it a row of a table, or a hook by role", path, got, allowed)
		case got < allowed:
			t.Errorf("%s has %d switches on roles, and %d are allowed: make the list shorter", path, got, allowed)
		}
	}
}

// role is a name that the catalogue or the generated code gives a role.
var role = regexp.MustCompile(`^Role(_ROLE_)?[A-Z]`)

// asksForRoles reports whether a case of a switch names a role.
func asksForRoles(s *ast.SwitchStmt) (asks bool) {
	for _, c := range s.Body.List {
		for _, e := range c.(*ast.CaseClause).List {
			ast.Inspect(e, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				asks = asks || ok && role.MatchString(id.Name) && id.Name != "RoleInfo"
				return true
			})
		}
	}
	return asks
}

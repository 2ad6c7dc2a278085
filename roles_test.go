// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRolesAreTables checks that adding a role takes only rows of tables (schema's catalogue, a kind of
// claim, a hook by role): no switch may have a role as a case, and no function may compare with more
// than two roles, which would amount to a switch. The packages below report/ are exempt from the second
// rule, since a kind of claim is about the roles that it names.
func TestRolesAreTables(t *testing.T) {
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
				t.Errorf("%s has a switch on roles: make it a row of a table, or a hook by role", filepath.ToSlash(path))
			}
			if f, ok := n.(*ast.FuncDecl); ok && len(comparedRoles(f)) > 2 && !strings.HasPrefix(filepath.ToSlash(path), "report/") {
				t.Errorf("%s: %s asks for the roles %v: make it a table, or hooks by role", filepath.ToSlash(path), f.Name.Name, comparedRoles(f))
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// role matches the name of a role in the catalogue or in the generated code.
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

// comparedRoles returns the roles that a function compares other values with.
func comparedRoles(f *ast.FuncDecl) (roles []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if c, ok := n.(*ast.BinaryExpr); ok && (c.Op == token.EQL || c.Op == token.NEQ) {
			if s, ok := c.Y.(*ast.SelectorExpr); ok && role.MatchString(s.Sel.Name) && !slices.Contains(roles, s.Sel.Name) {
				roles = append(roles, s.Sel.Name)
			}
		}
		return true
	})
	return roles
}

// SPDX-License-Identifier: Apache-2.0

// Package docs has the pages that dtrec itself shows.
package docs

import "embed"

//go:embed answers.md claims.md kernels.md peers.md questions.md
var pages embed.FS

// Page is the text of a page, "claims" for claims.md; empty where there is none.
func Page(name string) string {
	b, err := pages.ReadFile(name + ".md")
	if err != nil {
		return ""
	}
	return string(b)
}

// SPDX-License-Identifier: Apache-2.0

// Package docs embeds the pages that dtrec itself shows.
package docs

import "embed"

//go:embed answers.md claims.md kernels.md peers.md questions.md
var pages embed.FS

// Page returns the text of a page, such as "claims" for claims.md, or "" if there is no such page.
func Page(name string) string {
	b, err := pages.ReadFile(name + ".md")
	if err != nil {
		return ""
	}
	return string(b)
}

// SPDX-License-Identifier: Apache-2.0

package report

import "github.com/dtrec/dtrec/report/md"

func code(name string) string { return md.Code(name) }

func text(s string) string { return md.Text(s) }

func prose(s string) string { return md.Prose(s) }

// SPDX-License-Identifier: Apache-2.0

// Package plural counts things in English.
package plural

import (
	"strconv"
	"strings"
)

// Of returns a count with its noun: "1 entry", "2 entries", "2 processes". A noun in -ry gets -ries,
// one in -s gets -ses.
func Of(n uint64, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case strings.HasSuffix(thing, "ry"):
		thing = strings.TrimSuffix(thing, "y") + "ie"
	case strings.HasSuffix(thing, "s"):
		thing += "e"
	}
	return strconv.FormatUint(n, 10) + " " + thing + "s"
}

// SPDX-License-Identifier: Apache-2.0

// Package plural counts things in English.
package plural

import (
	"strconv"
	"strings"
)

// Of is a number of things: "1 entry", "2 entries", "2 processes". The plural of a word in -ry ends in -ries,
// of one in -s in -ses.
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

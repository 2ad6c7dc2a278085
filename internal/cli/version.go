// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"runtime/debug"
	"strings"
)

// version is the release this program was built from, as the Go tool recorded it: the tag of the module
// or of the checkout. Between tags it is a pseudo-version made of the last tag, the commit's time and
// its hash, with +dirty if files differ from the commit. It is "devel" in a test binary, which has
// none.
var version = func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}()

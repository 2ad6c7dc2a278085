// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"runtime/debug"
	"strings"
)

// version is the release this program was built from, as Go wrote it into the build: the tag of the module or of the
// checkout, between tags a version made from the last one, the commit's time and its hash, with +dirty where files
// differ from the commit. A test's binary has none and is "devel".
var version = func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}()

// SPDX-License-Identifier: Apache-2.0

package test

// filesystemVerdicts lists what differs from ext4 if /tmp and the working directory are on another
// filesystem; "-" means no such claim.
var filesystemVerdicts = map[string]map[string]map[string]string{"tmpfs": inMemory, "overlay": layered}

// inMemory lists the differences on tmpfs. A dentry with an inode is pinned, so nothing is evicted and
// what was created is found again. A negative dentry is killed in the open that made it, and the dentry
// of an unlinked name at once. On 5.10 and 6.1 opening a directory allocates a cursor.
var inMemory = map[string]map[string]string{
	"te_miss":    {"storage": "1 proven", "bucket": "1 proven", "absence": "2 proven", "eviction": "-"},
	"tm_miss":    {"storage": "2 proven", "bucket": "2 proven", "negative": "2 proven", "absence": "3 proven", "eviction": "-"},
	"lm_miss":    {"negative": "1 proven"},
	"hits":       {"storage": "1 proven", "bucket": "1 proven", "absence": "6 proven", "eviction": "-"},
	"evict":      {"storage": "2 proven", "bucket": "2 proven", "absence": "3 proven"},
	"rebuild":    {"storage": "-", "bucket": "-", "absence": "6 proven", "eviction": "-"},
	"post":       {"storage": "-", "bucket": "-", "absence": "6 proven", "eviction": "-"},
	"rename":     {"negative": "1 proven"},
	"rename_dir": {"negative": "1 proven"},
	"links":      {"negative": "1 proven"},
	"create":     {"storage": "3 proven", "bucket": "3 proven", "negative": "1 proven", "absence": "4 proven"},
	"at":         {"delete": "1 proven"},
	"dots":       {"storage": "3 proven or 4 proven"},
}

// layered lists the differences on overlayfs. Each name has a dentry in the overlay, and one in every
// layer where it was looked up; how many depends on the kernel. The dentry of an unlinked name does not
// stay.
var layered = map[string]map[string]string{
	"minimal_open": {"storage": "all proven", "bucket": "all proven", "delete": "2 proven"},
	"te_miss":      {"storage": "all proven", "bucket": "all proven"},
	"tm_miss":      {"storage": "all proven", "bucket": "all proven"},
	"lm_miss":      {"storage": "all proven", "bucket": "all proven"},
	"hits":         {"storage": "all proven", "bucket": "all proven"},
	"delete":       {"storage": "all proven", "bucket": "all proven", "delete": "4 proven"},
	"evict":        {"storage": "all proven", "bucket": "all proven", "absence": "3 proven"},
	"rebuild":      {"storage": "all proven", "bucket": "all proven"},
	"post":         {"storage": "all proven", "bucket": "all proven"},
	"rename":       {"storage": "all proven", "bucket": "all proven", "move": "6 proven"},
	"rename_dir":   {"storage": "all proven", "bucket": "all proven", "move": "2 proven"},
	"links":        {"storage": "all proven", "bucket": "all proven", "absence": "6 proven"},
	"link_loop":    {"storage": "all proven", "bucket": "all proven"},
	"create":       {"storage": "all proven", "bucket": "all proven", "absence": "4 proven"},
	"tmpfile":      {"storage": "all proven", "bucket": "all proven", "equality": "1 unproven or -", "creation": "1 proven or -", "absence": "- or 1 proven or 2 proven"},
	"at":           {"storage": "all proven", "bucket": "all proven", "delete": "2 proven"},
	"dots":         {"storage": "all proven", "bucket": "all proven"},
	"names":        {"storage": "all proven", "bucket": "all proven"},
	"wild_names":   {"storage": "all proven", "bucket": "all proven"},
}

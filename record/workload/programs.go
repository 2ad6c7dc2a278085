// SPDX-License-Identifier: Apache-2.0

//go:build linux

package workload

import (
	"slices"

	"golang.org/x/sys/unix"
)

// The files that the programs use. Relative names are in the working directory.
const (
	fileLocal   = "l_e.txt"
	fileTmp     = "/tmp/t_e.txt"
	missTmp     = "/tmp/t_m.txt"
	missLocal   = "l_m.txt"
	loopMount   = "/mnt/loopfs"
	loopFile    = loopMount + "/a.txt"
	loopMissing = loopMount + "/none.txt"

	casefoldMount = "/mnt/casefold" // an ext4 with case-folding directories
	dropCaches    = "/proc/sys/vm/drop_caches"
)

// Flags of open.
const (
	readOnly  = flags(unix.O_RDONLY)
	makeNew   = flags(unix.O_RDWR | unix.O_CREAT)
	exclusive = makeNew | unix.O_EXCL
	directory = flags(unix.O_PATH | unix.O_DIRECTORY)
)

// All returns the programs in the order in which --workload all runs them.
func All() []Program { return slices.Concat(seed(), walks()) }

// seed returns the programs of the seed page and similar ones.
func seed() []Program {
	both := []string{fileLocal, fileTmp}
	return []Program{
		{Name: "minimal_open", Doc: "a name too long for the dentry: created, closed, removed",
			steps: steps(longName(), call("open", variable("name"), makeNew, mode(0o644)).into("fd"),
				call("close", variable("fd")), call("unlink", variable("name")))},
		{Name: "te_miss", Doc: "a file that exists is opened after its dentry was evicted",
			steps: join(create(fileTmp), drop(), openClose("fd", fileTmp))},
		{Name: "tm_miss", Doc: "a missing file is opened twice: the second time its absence is cached",
			steps: join(drop(), steps(missing(missTmp).into("fd1"), call("printf", "tm_miss first open fd=%d\n", variable("fd1")),
				missing(missTmp).into("fd2"), call("printf", "tm_miss second open fd=%d\n", variable("fd2"))))},
		{Name: "lm_miss", Doc: "a missing file is opened by a relative name", steps: join(drop(), steps(missing(missLocal)))},
		{Name: "a_miss", Doc: "a file on another filesystem is opened after its dentry was evicted",
			steps: join(drop(), openClose("fd", loopFile)), needs: []need{needLoop}},
		{Name: "a_miss_enoent", Doc: "a missing file on another filesystem is opened",
			steps: join(drop(), steps(missing(loopMissing))), needs: []need{needLoop}},
		{Name: "hits", Doc: "two files are opened, and opened again: the same dentries",
			steps: join(create(both...), drop(), openBoth(""), openBoth("_again"))},
		{Name: "delete", Doc: "two files are opened and removed",
			steps: join(create(both...), openBoth(""), steps(call("unlink", fileLocal), call("unlink", fileTmp)))},
		{Name: "evict", Doc: "two files are opened, then the caches are dropped",
			steps: join(create(both...), openBoth(""), dropUsed())},
		{Name: "rebuild", Doc: "one of two evicted files is opened again: a new dentry",
			steps: join(create(both...), openBoth(""), dropUsed(), openClose("fd", fileTmp))},
		{Name: "post", Doc: "the other of two evicted files is opened again: a new dentry",
			steps: join(create(both...), openBoth(""), dropUsed(), openClose("fd", fileLocal))},
	}
}

// walks returns programs that show more of path walks, in directories of their own.
func walks() []Program {
	return []Program{
		{Name: "rename", Doc: "a file is renamed in its directory, to another one, and onto another file: one dentry",
			steps: join(dirs("rename", "rename/a", "rename/b"), create("rename/a/f"), openClose("f", "rename/a/f"),
				steps(call("rename", "rename/a/f", "rename/a/g")), openClose("g", "rename/a/g"), steps(missing("rename/a/f"),
					call("rename", "rename/a/g", "rename/b/g")), openClose("moved", "rename/b/g"),
				create("rename/b/h"), openClose("h", "rename/b/h"), steps(call("rename", "rename/b/g", "rename/b/h")), openClose("over", "rename/b/h"))},
		{Name: "rename_dir", Doc: "a directory is renamed: what is in it keeps dentry, parent and hash",
			steps: join(dirs("rename_dir", "rename_dir/old"), create("rename_dir/old/c"), openClose("before", "rename_dir/old/c"),
				steps(step{call: "rename", args: []any{"rename_dir/old", "rename_dir/new"}, extraFiles: []string{"rename_dir/new/c"}}),
				openClose("after", "rename_dir/new/c"), steps(missing("rename_dir/old/c")))},
		{Name: "links", Doc: "two names of one inode, a symbolic link, and one that leads nowhere",
			steps: join(dirs("links"), create("links/f"), steps(call("link", "links/f", "links/h"), call("symlink", "f", "links/s"), call("symlink", "none", "links/d")),
				openClose("f", "links/f"), openClose("h", "links/h"), openClose("s", "links/s"),
				steps(missing("links/d"), call("open", "links/s", flags(unix.O_NOFOLLOW)).failing(unix.ELOOP),
					call("open", "links/s", flags(unix.O_PATH|unix.O_NOFOLLOW)).into("self"), call("close", variable("self"))))},
		{Name: "link_loop", Doc: "two symbolic links that lead to each other: 40 are followed",
			steps: join(dirs("link_loop"), steps(call("symlink", "b", "link_loop/a"), call("symlink", "a", "link_loop/b"),
				call("open", "link_loop/a", readOnly).failing(unix.ELOOP)))},
		{Name: "create", Doc: "a missing name is created: its negative dentry gets the inode",
			steps: join(dirs("create"), steps(missing("create/f"), call("open", "create/f", exclusive, mode(0o644)).into("new"), call("close", variable("new"))),
				openClose("again", "create/f"), steps(call("open", "create/f", exclusive, mode(0o644)).failing(unix.EEXIST)))},
		{Name: "tmpfile", Doc: "a file without a name: its dentry is in no hash table",
			steps: join(dirs("tmpfile"), steps(step{call: "open", args: []any{"tmpfile", flags(unix.O_RDWR | unix.O_TMPFILE), mode(0o600)},
				closes: true, orErr: unix.EOPNOTSUPP}))},
		{Name: "at", Doc: "one relative name under two directories, by descriptor and by chdir",
			// "f" is opened three times: first one file, then another one that is created after the first was
			// removed, and then the second one again. The path alone does not tell them apart.
			steps: join(dirs("at", "at/a", "at/b"), create("at/a/f"), steps(
				call("open", "at/a", directory).into("a"), call("open", "at/b", directory).into("b"),
				call("openat", variable("a"), "f", readOnly).into("first"), call("close", variable("first")), call("unlink", "at/a/f")),
				create("at/b/f"), steps(call("openat", variable("b"), "f", readOnly).into("second"), call("close", variable("second")),
					call("chdir", "at/b")), openClose("third", "f"), steps(call("close", variable("a")), call("close", variable("b"))))},
		{Name: "dots", Doc: "paths with . and .. and //",
			steps: join(dirs("dots", "dots/sub"), create("dots/f"), openClose("dot", "dots/./f"), openClose("slashes", "dots//f"),
				openClose("up", "dots/sub/../f"), openClose("here", "."), steps(call("chdir", "dots/sub")), openClose("above", "../f"))},
		{Name: "names", Doc: "names of 31 to 255 bytes, inside their dentry or outside, and one too long", steps: nameLengths()},
		{Name: "wild_names", Doc: "names that a page or a terminal could take for something else", steps: wildNames()},
		{Name: "casefold", Doc: "a directory that folds case: the filesystem has its own hash",
			steps: casefoldSteps(), needs: []need{needCasefold}, optional: true},
		{Name: "race", Doc: "two threads open one name at once (not in all: no two runs are alike)",
			steps: join(raceTrack("race", raceFiles), dropUsed(), steps(race("race", raceFiles))), byName: true},
	}
}

func steps(list ...step) []step   { return list }
func join(parts ...[]step) []step { return slices.Concat(parts...) }
func missing(path string) step    { return call("open", path, readOnly).failing(unix.ENOENT) }
func openClose(fd, path string) []step {
	return steps(call("open", path, readOnly).into(variable(fd)), call("close", variable(fd)))
}

func dirs(paths ...string) (out []step) {
	for _, p := range paths {
		out = append(out, call("mkdir", p, mode(0o755)))
	}
	return out
}

// create creates the files and closes them.
func create(paths ...string) (out []step) {
	for _, p := range paths {
		out = append(out, call("creat", p, mode(0o644)).closed())
	}
	return out
}

// drop writes dirty data back, as dirty inodes keep their dentries in use, and then asks the kernel to free
// dentries and inodes.
func drop() []step {
	return steps(call("sync"), call("open", dropCaches, flags(unix.O_WRONLY)).into("drop"), call("write", variable("drop"), "2\n", 2), call("close", variable("drop")))
}

// dropUsed also evicts dentries that were used twice. They have DCACHE_REFERENCED set, which a first pass
// only clears, and how many passes one write makes depends on how much the first one frees. The kernel
// insists on offset 0.
func dropUsed() []step {
	again := call("pwrite", variable("drop"), "2\n", 2, 0)
	again.note = "dentries used twice survive the first"
	return slices.Insert(drop(), 3, again)
}

// openBoth opens the two files and closes them, using variables with this suffix.
func openBoth(suffix string) []step {
	l, t := variable("l"+suffix), variable("t"+suffix)
	return steps(call("open", fileLocal, readOnly).into(l), call("open", fileTmp, readOnly).into(t), call("close", l), call("close", t))
}

// nameLengths uses names around the sizes of the inline name (32 or 40 bytes with the terminating NUL) and around
// the longest name.
func nameLengths() []step {
	const dir = "names/"
	out := join(dirs("names"), steps(declareName(dir)))
	for _, n := range []int{31, 32, 39, 40, 41, 255} {
		out = append(out, setName(dir, n), call("open", variable("name"), makeNew, mode(0o644)).closed(), call("open", variable("name"), readOnly).closed())
	}
	return append(out, setName(dir, 256), call("open", variable("name"), readOnly).failing(unix.ENAMETOOLONG))
}

func wildNames() []step {
	out := dirs("wild_names")
	for _, name := range []string{
		"new\nline", "quote\"'", "back`tick", "```", "pi|pe", "<script>", "esc\x1b[31m\a", "not utf-8 \xff\xfe", "back\\slash",
		"- **proven** #1", " spaces ", "right to left \u202e", "\u00e9",
	} {
		out = append(out, call("open", "wild_names/"+name, makeNew, mode(0o644)).closed())
	}
	return out
}

func casefoldSteps() []step {
	const dir = casefoldMount + "/dir"
	return join(dirs(dir), steps(call("open", dir, flags(unix.O_DIRECTORY)).into("dir"), foldCase("dir"), call("close", variable("dir"))),
		create(dir+"/Name"), openClose("same", dir+"/Name"), openClose("other", dir+"/NAME"))
}

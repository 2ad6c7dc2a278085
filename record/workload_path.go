// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import "golang.org/x/sys/unix"

// casefoldMount is where an ext4 is mounted whose directories can fold case.
const casefoldMount = "/mnt/casefold"

// pathWorkloads show more of the path than the ten programs do. All work in
// directories of their own; what they make is removed after the recording.
func pathWorkloads() []Workload {
	return []Workload{
		{Name: "rename", Doc: "a file is renamed in its directory, to another one, and onto another file: one dentry", steps: renames()},
		{Name: "rename_dir", Doc: "a directory is renamed: what is in it keeps dentry, parent and hash",
			steps: join([]step{mkdir("rename_dir"), mkdir("rename_dir/old")}, create("rename_dir/old/c"), openClose("before", "rename_dir/old/c"),
				[]step{rename{"rename_dir/old", "rename_dir/new", "c"}}, openClose("after", "rename_dir/new/c"),
				[]step{open{path: "rename_dir/old/c", errno: unix.ENOENT}})},
		{Name: "links", Doc: "two names of one inode, a symbolic link, and one that leads nowhere", steps: links()},
		{Name: "link_loop", Doc: "two symbolic links that lead to each other: 40 are followed",
			steps: []step{mkdir("link_loop"), symlink{"b", "link_loop/a"}, symlink{"a", "link_loop/b"}, open{path: "link_loop/a", errno: unix.ELOOP}}},
		{Name: "create", Doc: "a missing name is created: its negative dentry gets the inode", steps: creation()},
		{Name: "tmpfile", Doc: "a file without a name: its dentry is in no hash table",
			steps: []step{mkdir("tmpfile"), closed{open: open{path: "tmpfile", flags: unix.O_RDWR | unix.O_TMPFILE, mode: 0o600}, or: unix.EOPNOTSUPP}}},
		{Name: "at", Doc: "one relative name under two directories, by descriptor and by chdir", steps: relative()},
		{Name: "dots", Doc: "paths with . and .. and //", steps: dots()},
		{Name: "names", Doc: "names of 31 to 255 bytes, inside their dentry or outside, and one too long", steps: lengths()},
		{Name: "wild_names", Doc: "names that a page or a terminal could take for something else", steps: wild()},
		{Name: "casefold", Doc: "a directory that folds case: the filesystem has its own hash",
			steps: casefold(), needs: needs(needCasefold), optional: true},
		{Name: "race", Doc: "two threads open one name at once (not in all: no two runs are alike)",
			steps: join([]step{raceTrack{race{"race", raceFiles}}}, dropUsed(), []step{race{"race", raceFiles}}), apart: true},
	}
}

// raceFiles is how often the race is run. In a guest both threads allocated in some
// of 16 each time.
const raceFiles = 48

func renames() []step {
	return join([]step{mkdir("rename"), mkdir("rename/a"), mkdir("rename/b")}, create("rename/a/f"), openClose("f", "rename/a/f"),
		[]step{rename{from: "rename/a/f", to: "rename/a/g"}}, openClose("g", "rename/a/g"), []step{open{path: "rename/a/f", errno: unix.ENOENT}},
		[]step{rename{from: "rename/a/g", to: "rename/b/g"}}, openClose("moved", "rename/b/g"),
		create("rename/b/h"), openClose("h", "rename/b/h"), []step{rename{from: "rename/b/g", to: "rename/b/h"}}, openClose("over", "rename/b/h"))
}

func links() []step {
	return join([]step{mkdir("links")}, create("links/f"), []step{link{"links/f", "links/h"}, symlink{"f", "links/s"}, symlink{"none", "links/d"}},
		openClose("f", "links/f"), openClose("h", "links/h"), openClose("s", "links/s"),
		[]step{open{path: "links/d", errno: unix.ENOENT},
			open{path: "links/s", flags: unix.O_RDONLY | unix.O_NOFOLLOW, errno: unix.ELOOP},
			open{path: "links/s", flags: unix.O_PATH | unix.O_NOFOLLOW, fd: "self"}, closeFD("self")})
}

func creation() []step {
	const name, exclusive = "create/f", unix.O_RDWR | unix.O_CREAT | unix.O_EXCL
	return join([]step{mkdir("create"), open{path: name, errno: unix.ENOENT},
		open{path: name, flags: exclusive, mode: 0o644, fd: "new"}, closeFD("new")},
		openClose("again", name),
		[]step{open{path: name, flags: exclusive, mode: 0o644, errno: unix.EEXIST}})
}

// relative opens "f" three times: two files, of which the first is gone when the
// second comes into being, and that one again. The path alone tells nothing.
func relative() []step {
	const directory = unix.O_PATH | unix.O_DIRECTORY
	return join([]step{mkdir("at"), mkdir("at/a"), mkdir("at/b")}, create("at/a/f"),
		[]step{open{path: "at/a", flags: directory, fd: "a"}, open{path: "at/b", flags: directory, fd: "b"},
			open{at: "a", path: "f", fd: "first"}, closeFD("first"), unlink{path: "at/a/f"}},
		create("at/b/f"),
		[]step{open{at: "b", path: "f", fd: "second"}, closeFD("second"), chdir("at/b")}, openClose("third", "f"),
		[]step{closeFD("a"), closeFD("b")})
}

func dots() []step {
	return join([]step{mkdir("dots"), mkdir("dots/sub")}, create("dots/f"),
		openClose("dot", "dots/./f"), openClose("slashes", "dots//f"), openClose("up", "dots/sub/../f"),
		openClose("here", "."), []step{chdir("dots/sub")}, openClose("above", "../f"))
}

// lengths are around the sizes of the inline name, 32 or 40 bytes with the
// terminating zero, and around the longest name.
func lengths() []step {
	const dir = "names/"
	steps := []step{mkdir("names"), nameIn(dir)}
	for _, n := range []int{31, 32, 39, 40, 41, 255} {
		steps = append(steps, nameOf{dir, n}, openVariable(unix.O_RDWR|unix.O_CREAT), openVariable(unix.O_RDONLY))
	}
	return append(steps, nameOf{dir, 256}, open{name: "name", errno: unix.ENAMETOOLONG})
}

func openVariable(flags int) step { return closed{open: open{name: "name", flags: flags, mode: 0o644}} }

func wild() []step {
	steps := []step{mkdir("wild_names")}
	for _, name := range []string{
		"new\nline", "quote\"'", "back`tick", "```", "pi|pe", "<script>", "esc\x1b[31m\a", "not utf-8 \xff\xfe", "back\\slash",
		"- **proven** #1", " spaces ", "right to left \u202e", "\u00e9",
	} {
		steps = append(steps, closed{open: open{path: "wild_names/" + name, flags: unix.O_RDWR | unix.O_CREAT, mode: 0o644}})
	}
	return steps
}

func casefold() []step {
	const dir = casefoldMount + "/dir"
	return join([]step{mkdir(dir), open{path: dir, flags: unix.O_RDONLY | unix.O_DIRECTORY, fd: "dir"}, foldCase("dir"), closeFD("dir")},
		create(dir+"/Name"), openClose("same", dir+"/Name"), openClose("other", dir+"/NAME"))
}

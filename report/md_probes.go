// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// whyTheseProbes tells what each probe reads, from which field at which offset of
// this kernel, and which claims need it.
func (p *page) whyTheseProbes() {
	p.line("## Why These Probes")
	for _, k := range inPlace(func(c *chapter) int { return c.probes.at }) {
		t := &k.page.probes
		if e, ok := p.f.example(k.number); ok {
			p.line("%s In %s, %s. %s\n", t.before, text(e.Comm), e.Claim.Says(code), t.after)
		} else {
			p.line("%s No claim of this kind is proven in this run.\n", t.before)
		}
	}
	for _, t := range p.structures() {
		if len(t.symbols) == 0 {
			continue
		}
		p.line("%s (%s)", strings.Join(t.symbols, " and "), text(t.role))
		p.Fence("", t.lines)
		p.line("")
	}
	p.fieldTable()
}

// structure is the tree of one function: its arguments, the fields read, and the
// probes that read them.
type structure struct {
	role    string
	symbols []string
	lines   []string
}

// structures draws one tree per role with the offsets of the recorded kernel.
func (p *page) structures() []structure {
	l := p.f.Header.GetLayout()
	qstr := "qstr { name, len, hash }"
	dentry := fmt.Sprintf("struct dentry, %d bytes { d_parent @%d, d_name @%d, d_inode @%d, %s[%d] @%d }",
		l.GetDentrySize(), l.GetDParent(), l.GetDName(), l.GetDInode(), l.GetInlineNameField(), l.GetInlineNameSize(), l.GetInlineName())
	shapes := []struct {
		role  schema.Role
		args  string
		reads []string
	}{
		{schema.RoleOpen, "(dfd, struct filename *, struct open_flags *)", []string{
			fmt.Sprintf("struct filename { name @%d, iname @%d }", l.GetFilenameName(), l.GetFilenameIname()),
			"entry → filename->name, its bytes; open_flags->open_flag, mode",
			"return → ERR_PTR, or file->f_path.dentry, its d_name.name, d_inode, d_sb->s_type->name, d_sb->s_dev"}},
		{schema.RoleLookup, "(parent, qstr *)", []string{qstr, "entry → parent, name, len, hash", "return → dentry or NULL"}},
		{schema.RoleLookupChain, "(parent, qstr *)", []string{qstr, "entry → parent, name, len, hash", "return → dentry or NULL"}},
		{schema.RoleLookupRCU, "(parent, qstr *, …)", []string{qstr, "entry → parent, name, len, hash", "return → dentry or NULL"}},
		{schema.RoleAlloc, "(sb, qstr *)", []string{"entry → name: the copy source", "memcpy(dname, name->name, name->len)",
			"return → dentry, d_name.name: the copy destination", dentry}},
		{schema.RoleInsert, "(dentry)", []string{fmt.Sprintf("struct hlist_bl_node d_hash { next, pprev } @%d", l.GetDHash()),
			"return → d_hash.pprev: the bucket",
			fmt.Sprintf("dentry_hashtable = %#x, d_hash_shift = %d", l.GetDentryHashtable(), l.GetDHashShift())}},
		{schema.RoleInstantiate, "(dentry, inode)", []string{"return → dentry, d_inode"}},
		{schema.RoleDelete, "(dentry)", []string{"entry → dentry, d_name.name"}},
		{schema.RoleDrop, "(dentry)", []string{"entry → dentry, d_name.name"}},
		{schema.RoleKill, "(dentry)", []string{"entry → dentry, d_name.name: the end of its life"}},
		{schema.RoleFree, "(dentry)", []string{"entry → dentry: its memory goes back to the slab"}},
		{schema.RoleMove, "(dentry, target, …)", []string{"entry → dentry, target", "return → its new parent and name"}},
		{schema.RoleEvict, "()", []string{"entry and return → what drop_caches kills lies between them"}},
	}
	var out []structure
	for _, s := range shapes {
		t := structure{role: s.role.Label(), symbols: p.symbols(s.role)}
		t.lines = append(t.lines, strings.Join(t.symbols, " / ")+s.args)
		for i, r := range s.reads {
			branch := "├─ "
			if i == len(s.reads)-1 {
				branch = "└─ "
			}
			t.lines = append(t.lines, branch+r)
		}
		out = append(out, t)
	}
	return out
}

// symbols lists the attached symbols of a role, each once.
func (p *page) symbols(r schema.Role) []string {
	var out []string
	seen := make(map[string]bool)
	for _, b := range p.f.Header.GetProbe() {
		if b.Role == r && b.Attached && !seen[b.Symbol] {
			seen[b.Symbol] = true
			out = append(out, replay.Symbol(b.Symbol))
		}
	}
	return out
}

// fieldTable lists probe → fields; function; when, and the claims that need it.
func (p *page) fieldTable() {
	p.line("| probe | reads | when | needed by |\n|---|---|---|---|")
	rows := []struct {
		role  schema.Role
		phase schema.Phase
		reads string
		when  string
	}{
		{schema.RoleOpen, schema.Enter, "struct filename.name; open_flags", "after getname(), before the walk"},
		{schema.RoleOpen, schema.Exit, "file->f_path.dentry->d_name.name, or the error", "return time"},
		{schema.RoleLookup, schema.Enter, "parent; qstr.name, len, hash", "before the lookup"},
		{schema.RoleLookup, schema.Exit, "dentry->d_name.name, or NULL", "after the lookup"},
		{schema.RoleLookupChain, schema.Enter, "parent; qstr.name, len, hash", "inside d_lookup(), and alone in ref-walk"},
		{schema.RoleLookupChain, schema.Exit, "dentry->d_name.name, or NULL", "after the lookup"},
		{schema.RoleLookupRCU, schema.Enter, "parent; qstr.name, len, hash (computed by hash_name() in link_path_walk())", "each component of an rcu-walk"},
		{schema.RoleLookupRCU, schema.Exit, "dentry->d_name.name, or NULL", "after the lookup"},
		{schema.RoleAlloc, schema.Enter, "qstr.name", "before the name is copied"},
		{schema.RoleAlloc, schema.Exit, "dentry->d_name.name", "after the name was copied"},
		{schema.RoleInsert, schema.Exit, "dentry->d_name.name; d_hash.pprev", "insert time"},
		{schema.RoleDelete, schema.Enter, "dentry->d_name.name", "unlink time"},
		{schema.RoleKill, schema.Enter, "dentry->d_name.name", "the end: drop_caches, dput, reclaim, umount"},
	}
	for _, r := range rows {
		if p.f.recorded(r.role, r.phase) {
			p.line("| %s | %s | %s | %s |", md.Cell(p.f.Label(r.role, r.phase)), text(r.reads), text(r.when), needed(r.role))
		}
	}
	p.line("")
}

// manPages lists the calls that the programs of this run made.
func (p *page) manPages() {
	p.line("## Man Pages Used (parts)")
	used := make(map[string]bool)
	for _, prog := range p.f.Programs {
		for _, line := range prog.Source {
			for _, m := range manTable {
				if strings.Contains(line, m.call+"(") || strings.Contains(line, m.also) && m.also != "" {
					used[m.name] = true
				}
			}
		}
	}
	for _, m := range manTable {
		if m.always || used[m.name] {
			p.line("%s: %s  ", m.name, m.says)
		}
	}
}

var manTable = []struct {
	name, call, also string
	always           bool
	says             string
}{
	{"open(2)", "open", "", true, "`int open(const char *pathname, int flags, ...);` returns a file descriptor, or -1 and errno."},
	{"creat(2)", "creat", "", false, "`int creat(const char *pathname, mode_t mode);` is open with O_CREAT\\|O_WRONLY\\|O_TRUNC."},
	{"close(2)", "close", "", false, "`int close(int fd);` returns 0, or -1 and errno."},
	{"unlink(2)", "unlink", "", false, "`int unlink(const char *pathname);` returns 0, or -1 and errno."},
	{"write(2)", "write", "", false, "`ssize_t write(int fd, const void *buf, size_t count);` returns the bytes written, or -1 and errno."},
	{"sync(2)", "sync", "", false, "`void sync(void);` writes filesystem buffers to disk, so that drop_caches finds them clean."},
	{"proc_sys_vm(5)", "drop_caches", "drop_caches", false, "writing 2 to `/proc/sys/vm/drop_caches` frees dentries and inodes."},
	{"mount(8)", "mount", "/mnt/loopfs", false, "`mount DEVICE DIR`: an ext2 image is mounted on /mnt/loopfs."},
	{"bpf(2)", "bpf", "", true, "loads and attaches the programs behind these probes."},
}

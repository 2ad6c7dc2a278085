// SPDX-License-Identifier: Apache-2.0

package export

import (
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// Type is the type of the values in a column.
type Type uint8

const (
	Text   Type = iota // string
	Number             // uint64
	Flag               // bool
)

// Column describes a column of a table. Its values have the Type, or are nil if the trace does not tell.
type Column struct {
	Name, Doc string
	Type      Type
	Address   bool // a kernel address: it means nothing outside this boot, and would reveal the KASLR offset
}

// Table is a table with one row for each thing of one kind in a trace.
type Table struct {
	Name, Doc string
	Columns   []Column
	// Read yields the rows in the order in which the things ended. A row is valid until yield returns. It
	// returns the error of the source or of yield, or a *VoidError.
	Read func(src replay.Source, yield func(row []any) error) error
}

// Tables returns all tables. The first one is the default.
func Tables() []Table {
	return []Table{
		table("calls", "path calls: one use of a path by a task", callColumns, readCalls),
		table("objects", "dentries, each from its alloc or first sight to its end", objectColumns, readObjects),
		table("tasks", "processes", taskColumns, each(replay.Tasks)),
		table("verdicts", "claims, and what the events say of each", claimColumns, readClaims),
	}
}

// column is a column with the function that returns its value.
type column[T any] struct {
	Column
	of func(*T) any
}

func text[T any](name, doc string, of func(*T) string) column[T] {
	return column[T]{Column{name, doc, Text, false}, func(v *T) any { return known(of(v)) }}
}

// number returns a column that is nil for 0, which is neither a valid id nor a valid time.
func number[T any](name, doc string, of func(*T) uint64) column[T] {
	return column[T]{Column{name, doc, Number, false}, func(v *T) any { return known(of(v)) }}
}

// known returns v, or nil for the zero value.
func known[V comparable](v V) any {
	if v == *new(V) {
		return nil
	}
	return v
}

// count returns a column of numbers in which 0 is a valid value.
func count[T any](name, doc string, of func(*T) uint64) column[T] {
	return column[T]{Column{name, doc, Number, false}, func(v *T) any { return of(v) }}
}

func flag[T any](name, doc string, of func(*T) bool) column[T] {
	return column[T]{Column{name, doc, Flag, false}, func(v *T) any { return of(v) }}
}

func table[T any](name, doc string, columns []column[T], read func(replay.Source, func(*T) error) error) Table {
	t := Table{Name: name, Doc: doc}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Column)
	}
	t.Read = func(src replay.Source, yield func([]any) error) error {
		row := make([]any, len(columns))
		return read(src, func(v *T) error {
			for i := range columns {
				row[i] = columns[i].of(v)
			}
			return yield(row)
		})
	}
	return t
}

var callColumns = []column[replay.PathCall]{
	count("id", "its entry: an event id", func(c *replay.PathCall) uint64 { return c.ID }),
	number("end_id", "its exit; none: it is not in the trace", func(c *replay.PathCall) uint64 { return c.End }),
	text("operation", "what it was for: open, exec, stat …", func(c *replay.PathCall) string { return c.Operation }),
	count("pid", "process, initial pid namespace", func(c *replay.PathCall) uint64 { return uint64(c.PID) }),
	count("tid", "thread", func(c *replay.PathCall) uint64 { return uint64(c.TID) }),
	text("comm", "of the thread", func(c *replay.PathCall) string { return replay.Printable(c.Comm) }),
	text("program", "of the process", func(c *replay.PathCall) string { return replay.Printable(c.Program) }),
	number("outer_id", "the call in which it was made", func(c *replay.PathCall) uint64 { return c.Outer }),
	text("path", "as given", func(c *replay.PathCall) string { return replay.Printable(c.Path) }),
	text("resolved", "the path of what it came to, or where it stopped; … where the run does not tell what is above",
		func(c *replay.PathCall) string { return replay.PrintablePath(c.Resolved) }),
	text("target", "the other path of a rename, link or mount, as given", func(c *replay.PathCall) string { return replay.Printable(c.Target) }),
	text("resolved_target", "where that led to, or stopped", func(c *replay.PathCall) string { return replay.PrintablePath(c.ResolvedTarget) }),
	text("class", "rcu, ref, miss or unknown", func(c *replay.PathCall) string { return c.Class.String() }),
	count("restarts", "how often the walk began anew", func(c *replay.PathCall) uint64 { return uint64(c.Restarts) }),
	text("errno", "of a failure", func(c *replay.PathCall) string {
		return schema.ErrnoName(c.Errno)
	}),
	text("object", "the dentry it came to", func(c *replay.PathCall) string { return objectName(c.Dentry) }),
	text("fs", "the filesystem", func(c *replay.PathCall) string { return replay.Printable(c.FSType) }),
	count("at_ns", "its entry, nanoseconds since boot", func(c *replay.PathCall) uint64 { return c.At }),
	{Column{"took_ns", "nanoseconds until its exit", Number, false}, func(c *replay.PathCall) any {
		if c.End == 0 {
			return nil
		}
		return c.Took
	}},
	number("filesystem_ns", "of these, what the filesystem took, as far as is known", func(c *replay.PathCall) uint64 { return c.Filesystem }),
	count("allocs", "dentries allocated in it", func(c *replay.PathCall) uint64 { return uint64(c.Allocs) }),
	number("ino", "the number of its inode; none: not recorded", func(c *replay.PathCall) uint64 { return c.Ino }),
	count("negatives", "dentries without inode that it left in the cache", func(c *replay.PathCall) uint64 { return uint64(c.Negatives) }),
	flag("whole", "nothing of it is known to be missing", func(c *replay.PathCall) bool { return c.Whole }),
}

// each adapts a sequence of package replay to Table.Read.
func each[T any](all func(replay.Source) iter.Seq2[*T, error]) func(replay.Source, func(*T) error) error {
	return func(src replay.Source, yield func(*T) error) error {
		for v, err := range all(src) {
			if err == nil {
				err = yield(v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

var readCalls = each(replay.Calls)

// objectName returns the name of a dentry, as in D12; empty for nil.
func objectName(d *replay.Object) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("D%d", d.Seq)
}

// object is a dentry that has ended, or still existed when the trace ended.
type object struct {
	*replay.Object
	path string
}

var objectColumns = []column[object]{
	text("object", "D1, D2 … in the order of birth or first sight", func(o *object) string { return objectName(o.Object) }),
	{Column{"address", "of the struct dentry", Text, true}, func(o *object) any { return fmt.Sprintf("%#x", o.Addr) }},
	text("name", "as last seen", func(o *object) string { return replay.Printable(o.Name) }),
	text("path", "as last seen; … where the run does not tell what is above", func(o *object) string { return replay.PrintablePath(o.path) }),
	number("born_id", "its alloc; none: not recorded, it is older than the recording mostly", func(o *object) uint64 { return o.Born }),
	number("born_ns", "nanoseconds since boot", func(o *object) uint64 { return o.BornTime }),
	count("first_id", "the first event that showed it", func(o *object) uint64 { return o.First }),
	count("first_ns", "nanoseconds since boot", func(o *object) uint64 { return o.FirstAt }),
	number("inserted_id", "its last insert into the hash table", func(o *object) uint64 { return o.Inserted }),
	number("hit_id", "the last lookup that returned it", func(o *object) uint64 { return o.Hit }),
	number("deleted_id", "the last d_delete of it", func(o *object) uint64 { return o.Deleted }),
	number("killed_id", "its kill, or the last attempt at one", func(o *object) uint64 { return o.Killed }),
	number("killed_ns", "nanoseconds since boot", func(o *object) uint64 { return o.KillTime }),
	number("evict_id", "the drop_caches that killed it", func(o *object) uint64 { return o.Evict }),
	{Column{"negative", "it had no inode when last seen; none: no event says", Flag, false}, func(o *object) any {
		if is, known := o.Negative(); known {
			return is
		}
		return nil
	}},
	text("fate", "alive: not seen to end; killed; attempted: a kill that may have been none; missed: its end was not seen, and its memory was used again; forgotten: it, or one at its address, was, since more were known than are remembered",
		func(o *object) string { return o.End() }),
}

// readObjects yields each dentry when its address can be used again, and the remaining ones at the end of
// the trace.
func readObjects(src replay.Source, yield func(*object) error) error {
	m := replay.NewModel(src.Header())
	var failed error
	m.Object = func(d *replay.Object) {
		if failed == nil {
			failed = yield(&object{d, m.Path(d)})
		}
	}
	for failed == nil {
		record, err := src.Next()
		if err == io.EOF {
			m.End()
			break
		} else if err != nil {
			return err
		}
		m.Record(record)
	}
	return failed
}

var taskColumns = []column[replay.Task]{
	count("pid", "initial pid namespace", func(t *replay.Task) uint64 { return uint64(t.PID) }),
	number("parent", "none: its fork is not in the trace", func(t *replay.Task) uint64 { return uint64(t.Parent) }),
	text("program", "what it is called, by its last exec or prctl(2)", func(t *replay.Task) string { return replay.Printable(t.Program) }),
	text("programs", "all that it was called, in that order", func(t *replay.Task) string {
		names := make([]string, len(t.Programs))
		for i, p := range t.Programs {
			names[i] = replay.Printable(p)
		}
		return strings.Join(names, " ")
	}),
	number("forked_id", "the event that made it", func(t *replay.Task) uint64 { return t.Forked }),
	number("exited_id", "its end", func(t *replay.Task) uint64 { return t.Exited }),
	text("status", "how it ended", func(t *replay.Task) string {
		if t.Exited == 0 {
			return ""
		}
		return t.Status.String()
	}),
	count("first_ns", "its first event, nanoseconds since boot", func(t *replay.Task) uint64 { return t.FirstAt }),
	count("last_ns", "its last", func(t *replay.Task) uint64 { return t.LastAt }),
	count("calls", "path calls that have returned", func(t *replay.Task) uint64 { return t.Calls }),
	count("failed", "of these, with an error", func(t *replay.Task) uint64 { return t.Failed }),
}

var claimColumns = []column[report.Claim]{
	text("kind", "of claim, as docs/claims.md has them", func(c *report.Claim) string { return c.Kind.String() }),
	text("verdict", "proven, refuted or unproven", func(c *report.Claim) string { return c.Verdict.String() }),
	text("subject", "the path, or the name of the dentry", func(c *report.Claim) string { return replay.Printable(c.Subject) }),
	text("object", "the dentry it is about", func(c *report.Claim) string { return refName(c.Object) }),
	text("other", "the other dentry of an eviction, a hard link or a race", func(c *report.Claim) string { return refName(c.Other) }),
	text("reason", "why it is not proven", func(c *report.Claim) string { return c.Reason() }),
	number("first_id", "the first event it cites", func(c *report.Claim) uint64 {
		if len(c.Terms) == 0 {
			return c.Left.Event
		}
		return c.Terms[0].Event
	}),
	number("last_id", "the last one", func(c *report.Claim) uint64 {
		if n := len(c.Terms); n != 0 {
			return c.Terms[n-1].Event
		}
		return c.Right.Event
	}),
}

func refName(r report.Ref) string {
	if r.Seq == 0 {
		return ""
	}
	return fmt.Sprintf("D%d", r.Seq)
}

// VoidError means that the rows already written are void, because the end of the trace retracts every
// verdict.
type VoidError struct{ Why *report.Reason }

// Error returns the reason in words.
func (e *VoidError) Error() string {
	return "the verdicts written are void: " + e.Why.Text
}

func readClaims(src replay.Source, yield func(*report.Claim) error) error {
	var failed error
	f, err := report.Judge(src, report.Options{Each: func(c *report.Claim) {
		if failed == nil {
			failed = yield(c)
		}
	}})
	switch {
	case err != nil:
		return err
	case failed == nil && f.Void != nil:
		return &VoidError{f.Void}
	}
	return failed
}

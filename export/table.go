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
		newTable("calls", "path calls: one use of a path by a task", callColumns, readCalls),
		newTable("objects", "dentries, each from its alloc or first sight to its end", objectColumns, readObjects),
		newTable("tasks", "processes", taskColumns, rowsOf(replay.Tasks)),
		newTable("verdicts", "claims, and what the events say of each", claimColumns, readClaims),
	}
}

// column is a column with the function that returns its value.
type column[T any] struct {
	Column
	value func(*T) any
}

func text[T any](name, doc string, of func(*T) string) column[T] {
	return column[T]{Column{name, doc, Text, false}, func(v *T) any { return nilIfZero(of(v)) }}
}

// number returns a column that is nil for 0, which is neither a valid id nor a valid time.
func number[T any](name, doc string, of func(*T) uint64) column[T] {
	return column[T]{Column{name, doc, Number, false}, func(v *T) any { return nilIfZero(of(v)) }}
}

// nilIfZero returns v, or nil for the zero value.
func nilIfZero[V comparable](v V) any {
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

func newTable[T any](name, doc string, columns []column[T], read func(replay.Source, func(*T) error) error) Table {
	t := Table{Name: name, Doc: doc}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Column)
	}
	t.Read = func(src replay.Source, yield func([]any) error) error {
		row := make([]any, len(columns))
		return read(src, func(v *T) error {
			for i := range columns {
				row[i] = columns[i].value(v)
			}
			return yield(row)
		})
	}
	return t
}

var callColumns = []column[replay.PathCall]{
	count("id", "event id of its entry", func(c *replay.PathCall) uint64 { return c.ID }),
	number("end_id", "event id of its exit; none: it is not in the trace", func(c *replay.PathCall) uint64 { return c.End }),
	text("operation", "operation that used the path: open, exec, stat …", func(c *replay.PathCall) string { return c.Operation }),
	number("pid", "process id in the initial pid namespace; none: not known", func(c *replay.PathCall) uint64 { return uint64(c.PID) }),
	count("tid", "thread id in the initial pid namespace", func(c *replay.PathCall) uint64 { return uint64(c.TID) }),
	text("comm", "name of the thread", func(c *replay.PathCall) string { return replay.Printable(c.Comm) }),
	text("program", "name of the process", func(c *replay.PathCall) string { return replay.Printable(c.Program) }),
	number("outer_id", "id of the path call inside which it was made; none: it was not inside another", func(c *replay.PathCall) uint64 { return c.Outer }),
	text("path", "path as given", func(c *replay.PathCall) string { return replay.Printable(c.Path) }),
	text("resolved", "path of the dentry that the walk led to, or of the component that it stopped at; it begins with … if the directories above are not known",
		func(c *replay.PathCall) string { return replay.PrintablePath(c.Resolved) }),
	text("target", "other path of a rename, link or mount, as given", func(c *replay.PathCall) string { return replay.Printable(c.Target) }),
	text("resolved_target", "path at which the last component of target was looked up", func(c *replay.PathCall) string { return replay.PrintablePath(c.ResolvedTarget) }),
	text("class", "what answered the call: rcu, ref, miss or unknown", func(c *replay.PathCall) string { return c.Class.String() }),
	count("restarts", "how often the walk started over", func(c *replay.PathCall) uint64 { return uint64(c.Restarts) }),
	text("errno", "name of the error; none: the call succeeded, or its exit is not in the trace", func(c *replay.PathCall) string {
		return schema.ErrnoName(c.Errno)
	}),
	text("object", "number of the dentry that the path led to", func(c *replay.PathCall) string { return objectName(c.Dentry) }),
	text("fs", "type of the filesystem", func(c *replay.PathCall) string { return replay.Printable(c.FSType) }),
	count("at_ns", "time of its entry, nanoseconds since boot", func(c *replay.PathCall) uint64 { return c.At }),
	{Column{"took_ns", "time until its exit, nanoseconds", Number, false}, func(c *replay.PathCall) any {
		if c.End == 0 {
			return nil
		}
		return c.Took
	}},
	number("filesystem_ns", "part of took_ns spent in the filesystem, as far as known", func(c *replay.PathCall) uint64 { return c.Filesystem }),
	count("allocs", "dentries allocated during the call", func(c *replay.PathCall) uint64 { return uint64(c.Allocs) }),
	number("ino", "number of the inode that the path led to; none: not recorded", func(c *replay.PathCall) uint64 { return c.Ino }),
	{Column{"negatives", "negative dentries that the call left in the cache; none: not known", Number, false}, func(c *replay.PathCall) any {
		if c.End == 0 || c.Unsure {
			return nil
		}
		return uint64(c.Negatives)
	}},
	flag("whole", "no event of the call is known to be missing", func(c *replay.PathCall) bool { return c.Whole }),
}

// rowsOf adapts a sequence of package replay to Table.Read.
func rowsOf[T any](all func(replay.Source) iter.Seq2[*T, error]) func(replay.Source, func(*T) error) error {
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

var readCalls = rowsOf(replay.Calls)

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
	text("object", "number of the dentry, D1, D2 … in the order of allocation or first sight", func(o *object) string { return objectName(o.Object) }),
	{Column{"address", "address of the struct dentry", Text, true}, func(o *object) any { return fmt.Sprintf("%#x", o.Addr) }},
	text("name", "name as last seen", func(o *object) string { return replay.Printable(o.Name) }),
	text("path", "path as last seen; it begins with … if the directories above are not known", func(o *object) string { return replay.PrintablePath(o.path) }),
	number("born_id", "event id of its alloc; none: not recorded, in most cases because the dentry is older than the recording", func(o *object) uint64 { return o.Born }),
	number("born_ns", "time of its alloc, nanoseconds since boot", func(o *object) uint64 { return o.BornTime }),
	count("first_id", "event id of the first event that showed it", func(o *object) uint64 { return o.First }),
	count("first_ns", "time of that event, nanoseconds since boot", func(o *object) uint64 { return o.FirstAt }),
	number("inserted_id", "event id of its last insert into the hash table", func(o *object) uint64 { return o.Inserted }),
	number("hit_id", "event id of the last lookup that returned it", func(o *object) uint64 { return o.Hit }),
	number("deleted_id", "event id of the last d_delete of it", func(o *object) uint64 { return o.Deleted }),
	number("killed_id", "event id of its kill, or of an attempt to kill it", func(o *object) uint64 { return o.Killed }),
	number("killed_ns", "time of that event, nanoseconds since boot", func(o *object) uint64 { return o.KillTime }),
	number("evict_id", "event id of the drop_caches call that killed it", func(o *object) uint64 { return o.Evict }),
	{Column{"negative", "the dentry had no inode when last seen; none: no event shows it", Flag, false}, func(o *object) any {
		if is, known := o.Negative(); known {
			return is
		}
		return nil
	}},
	text("fate", "alive: no event ended it; unknown: its end may have left no event, as it could not be watched, or events were lost or not recorded; killed; attempted: a kill that may have failed; missed: its memory was freed or used again and no kill was seen; forgotten: the reader dropped it, or an earlier dentry at its address, because it knew too many",
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
	number("pid", "process id in the initial pid namespace; none: not known", func(t *replay.Task) uint64 { return uint64(t.PID) }),
	number("parent", "process id of its parent; none: its fork is not in the trace", func(t *replay.Task) uint64 { return uint64(t.Parent) }),
	text("program", "its name, from its last exec or prctl(2)", func(t *replay.Task) string { return replay.Printable(t.Program) }),
	text("programs", "all names that it had, in order", func(t *replay.Task) string {
		names := make([]string, len(t.Programs))
		for i, p := range t.Programs {
			names[i] = replay.Printable(p)
		}
		return strings.Join(names, " ")
	}),
	number("forked_id", "event id of its fork", func(t *replay.Task) uint64 { return t.Forked }),
	number("exited_id", "event id of its exit", func(t *replay.Task) uint64 { return t.Exited }),
	text("status", "how it ended", func(t *replay.Task) string {
		if t.Exited == 0 {
			return ""
		}
		return t.Status.String()
	}),
	count("first_ns", "time of its first event, nanoseconds since boot", func(t *replay.Task) uint64 { return t.FirstAt }),
	count("last_ns", "time of its last event, nanoseconds since boot", func(t *replay.Task) uint64 { return t.LastAt }),
	count("calls", "path calls, also those without a return in the trace", func(t *replay.Task) uint64 { return t.Calls }),
	count("failed", "path calls that have returned an error", func(t *replay.Task) uint64 { return t.Failed }),
}

var claimColumns = []column[report.Claim]{
	text("kind", "kind of the claim, see docs/claims.md", func(c *report.Claim) string { return c.Kind.String() }),
	text("verdict", "proven, refuted or unproven", func(c *report.Claim) string { return c.Verdict.String() }),
	text("subject", "path, or name of the dentry", func(c *report.Claim) string { return replay.Printable(c.Subject) }),
	text("object", "number of the dentry that the claim is about", func(c *report.Claim) string { return refName(c.Object) }),
	text("other", "number of the other dentry of an eviction, a hard link or a race", func(c *report.Claim) string { return refName(c.Other) }),
	text("reason", "why it is not proven", func(c *report.Claim) string { return c.Reason() }),
	number("first_id", "event id of the first event that it cites", func(c *report.Claim) uint64 {
		if len(c.Terms) == 0 {
			return c.Left.Event
		}
		return c.Terms[0].Event
	}),
	number("last_id", "event id of the last event that it cites", func(c *report.Claim) uint64 {
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

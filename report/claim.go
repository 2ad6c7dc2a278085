// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Kind is what a claim is about.
type Kind uint8

// The kinds of claim, in the order they are printed.
const (
	Key Kind = iota
	Prefix
	Equality
	Storage
	Hash
	Bucket
	Negative
	Creation
	Absence
	Eviction
	Delete
	Move
	HardLink
	Race
	kinds
)

// KindInfo is one row of the table of claims.
type KindInfo struct {
	Kind  Kind
	Name  string
	Says  string       // what a proven claim of the kind says
	Needs replay.Roles // without one of these it cannot be proven
	Some  replay.Roles // without one of these some of them cannot be proven
}

// Kinds lists every kind of claim and the roles it stands on.
func Kinds() []KindInfo {
	const (
		open, alloc, insert = schema.RoleOpen, schema.RoleAlloc, schema.RoleInsert
		lookup, rcu, chain  = schema.RoleLookup, schema.RoleLookupRCU, schema.RoleLookupChain
		remove, kill, move  = schema.RoleDelete, schema.RoleKill, schema.RoleMove
	)
	roles := replay.RolesOf
	return []KindInfo{
		{Key, "key", "the components looked up, each under the dentry of the one before it or where a mount point, a link or .. led, and where a failed walk stopped", roles(open, lookup, chain, rcu, alloc, insert, kill), 0},
		{Prefix, "prefix", "name pointer − path pointer = length of the path before the component", roles(open, rcu, alloc), 0},
		{Equality, "equality", "alloc, insert, lookup and open name one dentry, and it did not end in between", roles(open, lookup, rcu, alloc, insert, kill), 0},
		{Storage, "storage", "a name lies inside its dentry exactly when it fits", roles(alloc), 0},
		{Hash, "hash", "the hash recomputed from parent address and name is the kernel's", 0, roles(lookup, chain, rcu, insert, move)},
		{Bucket, "bucket", "(bucket − dentry_hashtable) / 8 = hash >> d_hash_shift", roles(insert), 0},
		{Negative, "negative", "a missing name has a dentry without inode, kept or not when the open returned, or did not enter the cache", roles(open, lookup, chain, rcu, alloc, insert, schema.RoleInstantiate, schema.RoleDrop, kill, move), 0},
		{Creation, "creation", "a dentry without inode got one in the open that returned it", roles(open, alloc, schema.RoleInstantiate, kill), 0},
		{Absence, "absence", "no file was opened; nothing was allocated inside the open", roles(open), roles(alloc)},
		{Eviction, "eviction", "a dentry that was cached was killed, and another one allocated for the same path", roles(open, lookup, rcu, alloc, insert, remove, schema.RoleDrop, kill, move), roles(schema.RoleEvict)},
		{Delete, "delete", "what became of a dentry after d_delete: killed, left without inode, or out of the hash table because somebody held it", roles(schema.RoleInstantiate, remove, kill), 0},
		{Move, "move", "one dentry got another name or parent, and displaced another or changed places with it", roles(alloc, insert, kill, move), 0},
		{HardLink, "hard link", "two names in the hash table at once have one inode", roles(open, remove, schema.RoleDrop, kill, move), 0},
		{Race, "race", "of two dentries allocated for one name one was inserted, the other killed without", roles(open, alloc, insert, kill, move), 0},
	}
}

var kindTable = Kinds()

func (k Kind) String() string { return kindTable[k].Name }

// Verdict is what the events allow to say of a claim.
type Verdict uint8

// A claim is proven or refuted by events that are cited, or unproven for a reason
// that is given.
const (
	Unproven Verdict = iota
	Proven
	Refuted
	verdicts
)

func (v Verdict) String() string { return [...]string{"unproven", "proven", "refuted"}[v] }

// Term is one operand: a value and the event that recorded it.
type Term struct {
	Label string // the probe it was read at, e.g. "__d_alloc return"
	Value uint64 // an address, or a number where the label says so
	Event uint64 // id
	Comm  string // the task
}

// Claim is a statement with its operands and what the events say of it.
type Claim struct {
	Kind    Kind
	Verdict Verdict
	Why     Why    // why unproven or refuted
	About   string // what the reason is about, a name or roles; empty for none, and for an event
	Reason  string // the same in words; empty when proven
	Subject string // the path, or the name of the dentry
	Object  Ref    // the dentry it is about; Seq 0: none
	Other   Ref    // eviction: the dentry before; hard link: the other one; race: the one that lost
	Terms   []Term
	Left    Term       // subtraction: Left.Value - Right.Value = Result
	Right   Term       // zero Label: no subtraction
	Result  uint64     // bytes, or what Means says
	Means   string     // what the result is, e.g. `length of "/tmp/"`
	Note    string     // what else the events show
	Copied  bool       // prefix: Left is the copy source of a new dentry's name
	Form    form       // negative: what it says of the name
	Kept    bool       // negative: the name is in the cache without inode when the open returns
	On      Filesystem // absence of a file: of the directory looked in last
	Keys    []KeyRow   // key: the components of the path that were looked up
	Stop    Stop       // key: what came after the last of these
	From    Place      // move: before
	To      Place      // move: after
	Target  Target     // move: the dentry whose place it took
}

// Filesystem is where an event was.
type Filesystem struct {
	Type  string // s_type->name; empty: not known
	Dev   uint32 // s_dev; 0: not known where
	Event uint64
}

// Ref names a dentry: D and its number in order of first sight, and its address.
type Ref struct {
	Seq  uint64
	Addr uint64
}

func ref(d *replay.Object) Ref {
	if d == nil {
		return Ref{}
	}
	return Ref{d.Seq, d.Addr}
}

// Tally counts verdicts by kind of claim.
type Tally [kinds][verdicts]uint64

func (t *Tally) add(k Kind, v Verdict) { t[k][v]++ }

// Total returns how many claims have the verdict.
func (t *Tally) Total(v Verdict) uint64 {
	var n uint64
	for k := range t {
		n += t[k][v]
	}
	return n
}

// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// cellCases returns a recording for every reason that lies in the events.
func cellCases() []cellCase {
	all := slices.Concat(keyCases, openCases, singleCases(), negativeCases, lifeCases, attemptCases, contradictedCases)
	for _, t := range kindTests {
		all = append(all, t.cases...)
	}
	return all
}

var keyCases = []cellCase{
	{"a component is looked up under the one before", Key, []*Reason{nil}, func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrA, "f", 2, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}},
	{"the path could not be read whole", Key, []*Reason{CutName}, func(r *tape) {
		r.change(func(e *schema.Event) { e.NameLen = 9000 })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"more events than are looked at", Key, []*Reason{TooManyEvents}, func(r *tape) {
		r.open("f")
		for range maxWalkSteps {
			r.rcu(rootAddr, "f", 0, addrB, 6)
		}
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"a directory came to nothing", Key, []*Reason{NoResult}, func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, 0, 0)
		r.rcu(addrA, "f", 2, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}},
	{"a component was passed over", Key, []*Reason{NotLookedUp}, func(r *tape) {
		r.open("d/e/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrA, "f", 4, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}},
	{"allocated and never looked up", Key, []*Reason{AllocOnly}, func(r *tape) {
		r.open("f")
		r.alloc(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"looked up under two dentries", Key, []*Reason{TwoParents}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.look(schema.RoleLookup, addrC, "f", 0, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}},
	{"a name outside the path", Key, []*Reason{nil}, func(r *tape) {
		r.open("l")
		r.rcu(rootAddr, "l", 0, addrA, 5)
		r.rcu(rootAddr, "f", 90000, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"the directory was killed on the way", Key, []*Reason{KilledOnTheWay}, func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.elsewhere(func() { r.kill(addrA, rootAddr, "d") })
		r.rcu(addrA, "f", 2, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}},
	{"the directory's address was handed out on the way", Key, []*Reason{MissedEnd}, func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.elsewhere(func() { r.alloc(rootAddr, "zzz", 90000, addrA, 5) })
		r.rcu(addrA, "f", 2, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}},
	{"the filesystem had a dentry already", Key, []*Reason{Replaced}, func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, 0, 0)
		r.allocOnly("d", 0, addrA)
		r.rcu(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}},
	{"another thread was faster at the directory", Key, []*Reason{Replaced}, func(r *tape) { r.racingAbove() }},
	{"the next component is under another dentry", Key, []*Reason{OtherParent}, func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}},
}

var openCases = []cellCase{
	{"the name is where the path has it", Prefix, []*Reason{nil}, func(r *tape) {
		r.open("/tmp/f")
		r.rcu(rootAddr, "f", 5, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"the name is cut", Prefix, []*Reason{CutName}, func(r *tape) {
		r.open("f")
		r.change(func(e *schema.Event) { e.Name = "" })
		r.rcu(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"the path has another component there", Prefix, []*Reason{OtherComponent}, func(r *tape) {
		r.open("/tmp/f")
		r.rcu(rootAddr, "f", 4, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"the open returned what its lookup found", Equality, []*Reason{nil}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"killed before it was returned", Equality, []*Reason{KilledBefore}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 6)
		r.elsewhere(func() { r.kill(addrB, rootAddr, "f") })
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"a mount point", Equality, []*Reason{MountPoint}, func(r *tape) {
		r.open("m")
		r.changeExit(func(e *schema.Event) { e.Facts |= schema.FactMountpoint })
		r.rcu(rootAddr, "m", 0, addrA, 5)
		r.opened(addrB, addrB, 2, "/")
	}},
	{"a mount point, and .. after it", Equality, []*Reason{NotShown}, func(r *tape) {
		r.open("m/..")
		r.changeExit(func(e *schema.Event) { e.Facts |= schema.FactMountpoint })
		r.rcu(rootAddr, "m", 0, addrA, 5)
		r.opened(rootAddr, rootAddr, 2, "/")
	}},
	{"nothing returned the dentry", Equality, []*Reason{NotShown}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"allocated and not inserted", Equality, []*Reason{NotInserted}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrB)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"negative, then with an inode", Creation, []*Reason{nil}, func(r *tape) {
		r.open("f")
		r.look(schema.RoleLookup, rootAddr, "f", 0, addrB, 0)
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 6, "f")
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"negative, killed, and then with an inode", Creation, []*Reason{AfterItsEnd}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 0)
		r.elsewhere(func() { r.kill(addrB, rootAddr, "f") })
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 9, "f")
		r.opened(addrB, rootAddr, 9, "f")
	}},
	{"never seen negative", Creation, []*Reason{NotNegative}, func(r *tape) {
		r.open("f")
		r.look(schema.RoleLookup, rootAddr, "f", 0, 0, 0)
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 6, "f")
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"no file and no alloc", Absence, []*Reason{nil, nil}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 0)
		r.fail(2)
	}},
	{"an alloc in the open", Absence, []*Reason{nil}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 0)
		r.fail(2)
	}},
}

func singleCases() []cellCase {
	hash := func(change func(*schema.Event)) func(*tape) {
		return func(r *tape) {
			r.change(change)
			r.put(schema.RoleLookupRCU, schema.Enter, func(e *schema.Event) {
				e.Parent, e.Name, e.NameLen, e.Hash = rootAddr, "f", 1, schema.HashName(rootAddr, "f")
			})
		}
	}
	layout := func(change func(*schema.Layout), play func(*tape)) func(*tape) {
		return func(r *tape) { change(r.header.Layout); play(r) }
	}
	bucket := func(change func(*schema.Event)) func(*tape) {
		return func(r *tape) { r.change(change); r.bucketed(rootAddr, "f", addrA) }
	}
	storage := func(change func(*schema.Event)) func(*tape) {
		return func(r *tape) {
			r.change(change)
			r.put(schema.RoleAlloc, schema.Exit, func(e *schema.Event) { fillDentry(e, addrA, addrA, 0, "f") })
		}
	}
	same := func(*schema.Event) {}
	redacted := func(l *schema.Layout) { l.NameHash = schema.NameHash_NAME_HASH_REDACTED }
	return []cellCase{
		{"hashes are redacted", Hash, []*Reason{Redacted}, layout(redacted, hash(same))},
		{"buckets are redacted", Bucket, []*Reason{Redacted}, layout(redacted, bucket(same))},
		{"the hash is recomputed", Hash, []*Reason{nil}, hash(same)},
		{"the kernel's algorithm is not known", Hash, []*Reason{NoNameHash}, layout(func(l *schema.Layout) { l.NameHash = 0 }, hash(same))},
		{"the filesystem has its own hash", Hash, []*Reason{OwnHash}, hash(func(e *schema.Event) { e.Hash++; e.Facts |= schema.FactParentOpHash })},
		{"a name that could not be read", Hash, []*Reason{CutName}, hash(func(e *schema.Event) { e.Name, e.Facts = "", schema.FactNameUnreadable })},
		{"another hash", Hash, []*Reason{WrongHash}, hash(func(e *schema.Event) { e.Hash++ })},
		{"the hash selects the bucket", Bucket, []*Reason{nil}, bucket(same)},
		{"the hash table is not known", Bucket, []*Reason{NoHashTable}, layout(func(l *schema.Layout) { l.DentryHashtable = 0 }, bucket(same))},
		{"another dentry before it", Bucket, []*Reason{NotChainHead}, bucket(func(e *schema.Event) { e.Bucket = addrB + 8 })},
		{"another bucket", Bucket, []*Reason{WrongBucket}, bucket(func(e *schema.Event) { e.Bucket += 8 })},
		{"a short name inside", Storage, []*Reason{nil}, storage(same)},
		{"the size is not known", Storage, []*Reason{NoInlineSize}, layout(func(l *schema.Layout) { l.InlineNameSize = 0 }, storage(same))},
		{"the address of the name is not known", Storage, []*Reason{NoNameAddress}, storage(func(e *schema.Event) { e.NameAddr = 0 })},
		{"a short name outside", Storage, []*Reason{WrongPlace}, storage(func(e *schema.Event) { e.NameAddr += 4096 })},
		{"a long name inside", Storage, []*Reason{WrongPlace}, storage(func(e *schema.Event) { e.Name, e.NameLen = strings.Repeat("x", 40), 40 })},
	}
}

// folded is an rcu-walk that, when asked for one name, finds the dentry of another.
func (r *tape) folded(name, has string, d, inode uint64) {
	r.put(schema.RoleLookupRCU, schema.Enter, func(e *schema.Event) {
		e.Parent, e.Name, e.NameLen, e.NameAddr, e.Facts = rootAddr, name, uint32(len(name)), pathAddr, schema.FactParentOpHash
	})
	r.put(schema.RoleLookupRCU, schema.Exit, func(e *schema.Event) { fillDentry(e, d, rootAddr, inode, has) })
}

// hit opens a file whose dentry is in the cache.
func (r *tape) hit(name string, d, inode uint64) {
	r.open(name)
	r.rcu(rootAddr, name, 0, d, inode)
	r.opened(d, rootAddr, inode, name)
}

// SPDX-License-Identifier: Apache-2.0

package test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// plan is the sample, in which a fault is to be planted.
type plan struct {
	*forged
	proven map[report.Kind][]report.Claim
	ops    []operation
}

func (p *plan) event(id uint64) *schema.Event { return p.events[id-1] }

// swap finds two claims of the kind with different paths, and makes the events that seen returns for
// one be about the dentry of the other, which must be alive then.
func (p *plan) swap(kind report.Kind, seen func(cl *report.Claim) []uint64) bool {
	ours := func(cl *report.Claim) bool { return strings.HasPrefix(cl.Subject, "/tmp/r/") }
	list := p.proven[kind]
	for i := range list {
		for j := range list[:i] {
			ids, from, to := seen(&list[i]), &list[i], &list[j]
			if !ours(from) || !ours(to) || from.Object.Addr == to.Object.Addr || from.Subject == to.Subject || len(ids) == 0 {
				continue
			}
			if p.over(to.Object.Addr, to.Terms[len(to.Terms)-1].Event, ids[len(ids)-1]) {
				continue
			}
			for _, id := range ids {
				p.event(id).Dentry = to.Object.Addr
			}
			return true
		}
	}
	return false
}

// over reports whether the dentry was killed, moved or deleted between two events.
func (p *plan) over(addr, from, to uint64) bool {
	for id := from; id <= to; id++ {
		if e := p.event(id); e.Dentry == addr && (e.Role == schema.RoleKill || e.Role == schema.RoleMove || e.Role == schema.RoleDelete) {
			return true
		}
	}
	return false
}

// lookupAndExit returns the lookup in which an open found its dentry, and the exit of the open.
func (p *plan) lookupAndExit(cl *report.Claim) []uint64 {
	n := len(cl.Terms)
	if n < 2 || p.event(cl.Terms[n-2].Event).Role != schema.RoleLookupRCU {
		return nil
	}
	ids := []uint64{cl.Terms[n-2].Event}
	if exit := cl.Terms[n-1].Event; p.event(exit).Dentry != 0 {
		ids = append(ids, exit)
	}
	return ids
}

// each changes the first proven claim of a kind that change accepts.
func (p *plan) each(kind report.Kind, change func(*report.Claim) bool) bool {
	for i := range p.proven[kind] {
		if change(&p.proven[kind][i]) {
			return true
		}
	}
	return false
}

// rename changes the name of an event, and the hash to the one that the kernel would have computed.
func (p *plan) rename(id uint64, name string) {
	e := p.event(id)
	e.Name, e.NameLen, e.Hash = name, uint32(len(name)), schema.HashName(e.Parent, name)
}

// otherPath changes the open of a claim to one of another path.
func (p *plan) otherPath(enter uint64, subject string) bool {
	last := subject[strings.LastIndexByte(subject, '/')+1:]
	if len(last) != 1 || !strings.HasPrefix(subject, "/tmp/r/") {
		return false
	}
	open := p.event(enter)
	open.Name = subject[:len(subject)-1] + "z"
	for id := enter + 1; ; id++ {
		switch e := p.event(id); {
		case e.TID != open.TID:
		case e.Role == schema.RoleOpen:
			return true
		case e.Name == last:
			p.rename(id, "z")
		}
	}
}

// plants returns the faults, by the kind of claim that becomes false.
func plants() map[report.Kind]func(*plan) bool {
	return map[report.Kind]func(*plan) bool{
		report.Key: func(p *plan) bool {
			return p.each(report.Prefix, func(cl *report.Claim) bool { return p.otherPath(cl.Right.Event, cl.Subject) })
		},
		report.Prefix: func(p *plan) bool {
			return p.each(report.Prefix, func(cl *report.Claim) bool { return p.otherPath(cl.Right.Event, cl.Subject) })
		},
		report.Equality: func(p *plan) bool { return p.swap(report.Equality, p.lookupAndExit) },
		report.Negative: func(p *plan) bool { return p.swap(report.Negative, p.lookupAndExit) },
		report.Absence: func(p *plan) bool {
			return p.each(report.Absence, func(cl *report.Claim) bool {
				e := p.event(cl.Terms[len(cl.Terms)-1].Event)
				e.Ret = ^uint64(12) // EACCES
				return cl.Means == "no file" && strings.HasPrefix(cl.Subject, "/tmp/r/")
			})
		},
		report.Creation: func(p *plan) bool {
			return p.swap(report.Creation, func(cl *report.Claim) []uint64 {
				return []uint64{cl.Terms[0].Event, cl.Terms[1].Event, cl.Terms[2].Event}
			})
		},
		report.Eviction: func(p *plan) bool { // as if nothing that ends a dentry had been done
			p.ops = slices.DeleteFunc(p.ops, func(o operation) bool { return o.Call == "drop" })
			return true
		},
		report.Delete: func(p *plan) bool {
			return p.each(report.Delete, func(cl *report.Claim) bool {
				p.rename(cl.Terms[0].Event, "z")
				p.rename(cl.Terms[1].Event, "z")
				return true
			})
		},
		report.Move: func(p *plan) bool {
			return p.each(report.Move, func(cl *report.Claim) bool {
				p.rename(cl.Terms[len(cl.Terms)-1].Event, "z")
				return true
			})
		},
		report.HardLink: func(p *plan) bool {
			return p.each(report.Equality, func(cl *report.Claim) bool {
				return strings.HasPrefix(cl.Subject, "/tmp/r/") && p.sameInode(cl.Terms[len(cl.Terms)-1].Event)
			})
		},
	}
}

// sameInode gives the dentry of a later open the inode of this one.
func (p *plan) sameInode(exit uint64) bool {
	a := p.event(exit)
	for id := exit + 1; id <= uint64(len(p.events)); id++ {
		b := p.event(id)
		if b.Dentry == a.Dentry && (b.Role == schema.RoleKill || b.Role == schema.RoleDelete) {
			return false
		}
		if b.Role == schema.RoleOpen && b.Phase == schema.Exit && b.Dentry != 0 && b.Inode != a.Inode && b.Dentry != a.Dentry {
			b.Inode = a.Inode
			return true
		}
	}
	return false
}

// unfreed marks dentry_free as not recorded. Without it the report cannot tell that the events of a
// dentry contradict each other.
func unfreed(f *forged) {
	for _, p := range f.header.Probe {
		p.Attached = p.Attached && p.Role != schema.RoleFree
	}
}

// TestRandomModelNoticesPlantedFaults plants faults in the recording that the report cannot see, and
// checks that the model notices them.
func TestRandomModelNoticesPlantedFaults(t *testing.T) {
	for kind, plant := range plants() {
		t.Run(kind.String(), func(t *testing.T) {
			f, ops := sample(t)
			unfreed(f)
			p := &plan{forged: f, ops: ops, proven: make(map[report.Kind][]report.Claim)}
			if _, err := report.Judge(f, report.Options{Each: func(cl *report.Claim) {
				if cl.Verdict == report.Proven {
					kept := *cl
					kept.Terms = slices.Clone(cl.Terms)
					p.proven[cl.Kind] = append(p.proven[cl.Kind], kept)
				}
			}}); err != nil {
				t.Fatal(err)
			}
			if f.next = 0; !plant(p) {
				t.Fatal("the recording has no place for it")
			}
			c := checkSample(t, f, p.ops)
			if !slices.ContainsFunc(c.faults, func(s string) bool {
				return strings.HasPrefix(s, kind.String()+" of ") && !strings.Contains(s, " refuted ")
			}) {
				t.Errorf("not noticed; other faults: %q", c.faults)
			}
		})
	}
}

// TestRandomModelRecomputes checks that the model notices a wrong number in a claim that one event
// proves by arithmetic.
func TestRandomModelRecomputes(t *testing.T) {
	f, _ := sample(t)
	c := &checker{header: f.header}
	tried := make(map[report.Kind]bool)
	for _, e := range f.events {
		check := map[report.Kind]func(*schema.Event) error{}
		switch {
		case e.Role == schema.RoleInsert:
			check[report.Hash], check[report.Bucket] = c.hash, c.bucket
		case e.Role == schema.RoleAlloc && e.Phase == schema.Exit:
			check[report.Storage] = c.storage
		}
		for kind, holds := range check {
			bad := *e
			bad.Hash, bad.Bucket, bad.NameAddr = e.Hash^1, e.Bucket+8, e.Dentry+uint64(f.header.Layout.InlineName)
			if bad.NameAddr == e.NameAddr {
				bad.NameAddr += 64
			}
			if err := holds(e); err != nil && kind != report.Bucket { // the chain may have a new head
				t.Errorf("%s: %v", kind, err)
			}
			if holds(&bad) == nil {
				t.Errorf("%s at #%d: a wrong number is taken for right", kind, e.ID)
			}
			tried[kind] = true
		}
	}
	if len(tried) != 3 {
		t.Errorf("tried %v", tried)
	}
}

// TestRandomModelNoticesAFalseRace checks that the model refuses a race between two dentries that were
// allocated at different times.
func TestRandomModelNoticesAFalseRace(t *testing.T) {
	f, ops := sample(t)
	did, err := replayLog(ops)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := checkClaims(f, did)
	if err != nil {
		t.Fatal(err)
	}
	var allocs []*schema.Event
	for _, e := range f.events {
		if t := did.at(e.TID, e.Time); e.Role == schema.RoleAlloc && e.Phase == schema.Exit && e.Name == "a" && t != nil && strings.Contains(t.op.Path, "a") {
			allocs = append(allocs, e)
		}
	}
	if len(allocs) < 2 {
		t.Fatal("the recording has no place for it")
	}
	first, last := allocs[0], allocs[len(allocs)-1]
	cl := &report.Claim{Kind: report.Race, Means: "a", Terms: []report.Term{{Event: first.ID, Value: first.Dentry}, {Event: last.ID, Value: last.Dentry}}}
	if c.race(cl, did.at(last.TID, last.Time)) == nil {
		t.Errorf("#%d and #%d are taken for a race", first.ID, last.ID)
	}
}

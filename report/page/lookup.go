// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

var (
	hashWords = regexp.MustCompile(`\bhash (0x[0-9a-fA-F]+|\d+) length (\d+) name (.*)$`)
	hashParen = regexp.MustCompile(`\(hash=(0x[0-9a-fA-F]+|\d+),len=(\d+)\)(?: (.*))?$`)
	hashUnder = regexp.MustCompile(`\bunder (0x[0-9a-f]+), hash (0x[0-9a-fA-F]+|\d+)`)
	// hashAlone is a hash wherever it stands; the steps of one have other rules.
	hashAlone = regexp.MustCompile("\\b[Hh]ash(?: is)?(?: *[=:])? *[`*_]*(0[xX][0-9a-fA-F]{1,8}|\\d+)\\b")
)

// hashes judges the key of a lookup: its hash, its length and its name, which a line
// of the module follows up with the rest of the path.
func (j *judge) hashes(l *line, labels []label, cites []cite) {
	for _, pattern := range []*regexp.Regexp{hashWords, hashParen} {
		m := pattern.FindStringSubmatchIndex(l.text)
		if m == nil {
			continue
		}
		k := key{hash: number(l.text[m[2]:m[3]]), length: decimal(l.text[m[4]:m[5]])}
		if m[6] >= 0 {
			k.name = l.name[m[6]:m[7]]
		}
		for _, lb := range labels {
			if lb.to <= m[0] && len(strings.Trim(l.text[lb.to:m[0]], ": ")) == 0 {
				k.label = lb
			}
		}
		s := span{m[0], m[5]}
		if pattern == hashParen {
			s.to++
		}
		k.ids = ofSpan(cites, s)
		v, events, note := j.key(&k)
		j.report(l, s, "key", v, events, note)
	}
}

// places judges the hash of a name under a parent, as a rename gives it.
func (j *judge) places(l *line) {
	for _, m := range hashUnder.FindAllStringSubmatchIndex(l.text, -1) {
		parent, hash := hexadecimal(l.text[m[2]:m[3]]), number(l.text[m[4]:m[5]])
		v, note := Absent, ""
		var events []uint64
		for _, u := range j.x.uses[hash] {
			if u.field != hashField {
				continue
			}
			if u.Parent == parent {
				v, events, note = Found, []uint64{u.ID}, ""
				break
			}
			v, note = Elsewhere, "it is "+j.x.describe(u)
		}
		j.report(l, span{m[4], m[5]}, "hash", v, events, note)
	}
}

// loneHashes judges the hashes on a line that stand without a name and a parent.
func (j *judge) loneHashes(l *line) {
	keys := make(map[int]bool) // where the hashes of others stand
	for _, pattern := range []*regexp.Regexp{hashWords, hashParen, hashUnder} {
		for _, m := range pattern.FindAllStringSubmatchIndex(l.text, -1) {
			keys[m[2]], keys[m[4]] = true, true
		}
	}
	for _, m := range hashAlone.FindAllStringSubmatchIndex(l.text, -1) {
		if keys[m[2]] {
			continue
		}
		v, events, note := j.anyHash(number(l.text[m[2]:m[3]]))
		j.report(l, span{m[2], m[3]}, "hash", v, events, note)
	}
}

// anyHash looks a hash up in the whole run.
func (j *judge) anyHash(hash uint64) (Verdict, []uint64, string) {
	for _, u := range j.x.uses[hash] {
		if u.field == hashField {
			return Found, []uint64{u.ID}, j.x.describe(u)
		}
	}
	return Absent, nil, ""
}

// key is a hash as a page gives it.
type key struct {
	hash, length uint64
	name         string
	label        label
	ids          []uint64
}

// is reports whether the event has the key.
func (k *key) is(e *schema.Event) bool {
	return uint64(e.Hash) == k.hash && uint64(e.NameLen) == k.length && k.label.of(e) && (k.name == "" || k.begins(e))
}

func (k *key) begins(e *schema.Event) bool {
	name := replay.Printable(e.Name)
	if content, ok := codeSpan(k.name); ok {
		return sameName(content, name)
	}
	return strings.HasPrefix(k.name, name)
}

func (j *judge) key(k *key) (Verdict, []uint64, string) {
	if k.ids != nil {
		for _, id := range k.ids {
			if e, ok := j.x.cited[id]; ok && k.is(&e.Event) {
				return Found, []uint64{id}, ""
			}
		}
	} else if j.tree != nil {
		if e, ordered := j.tree.find(func(e *seen) bool { return k.is(&e.Event) }); ordered {
			return Found, []uint64{e.ID}, ""
		} else if e != nil {
			return Wrong, []uint64{e.ID}, beforeTheLineAbove
		}
	}
	where := ""
	for _, u := range j.x.uses[k.hash] {
		if u.field != hashField {
			continue
		}
		where = fmt.Sprintf("it is %s, length %d", j.x.describe(u), u.NameLen)
		if k.is(&u.Event) && k.ids == nil && j.tree == nil {
			return Found, []uint64{u.ID}, ""
		}
	}
	switch {
	case where == "":
		return Absent, nil, ""
	case k.ids != nil:
		where = "not in " + idWords(k.ids) + "; " + where
	case j.tree != nil:
		where = "not in the open that the tree is of; " + where
	}
	return Elsewhere, nil, where
}

var (
	nullAfter  = regexp.MustCompile(`^(?: \([^()]*\))?:? NULL\b`)
	nullResult = regexp.MustCompile(`→ NULL ` + idToken.String())
)

var notPrinted = regexp.MustCompile(`do_filp_open return pointer: not printed\b`)

// silent judges that the open the lines before are of returned no file.
func (j *judge) silent(l *line) {
	m := notPrinted.FindStringIndex(l.text)
	if m == nil || len(j.opens) == 0 {
		return
	}
	for _, w := range j.opens {
		if last := &w.events[len(w.events)-1]; last.Role != schema.RoleOpen || last.Phase != schema.Exit || last.Errno() != 0 {
			j.report(l, span{m[0], m[1]}, "absence", Found, []uint64{w.enter.ID}, "")
			return
		}
	}
	last := &j.opens[0].events[len(j.opens[0].events)-1]
	j.report(l, span{m[0], m[1]}, "absence", Wrong, []uint64{last.ID}, "it is there: "+j.x.describe(use{last, nameField}))
}

// returns judges what is said of a call without an address: that it returned NULL,
// and which event it was.
func (j *judge) returns(l *line, labels []label, cites []cite) {
	for i, lb := range labels {
		if lb.symbol == "" || lb.role == 0 {
			continue
		}
		next := len(l.text)
		if i+1 < len(labels) {
			next = labels[i+1].from
		}
		null := nullAfter.FindStringIndex(l.text[lb.to:])
		var ids []uint64
		if c := ofSpan(clauseOf(l.text, cites, lb.span), lb.span); c != nil {
			ids = c
		}
		switch {
		case null != nil:
			j.nullReturn(l, lb, span{lb.from, lb.to + null[1]}, ids)
		case cited(l.text, cites, lb.to, next):
			j.citedEvent(l, lb, ids)
		}
	}
	if m := nullResult.FindStringSubmatchIndex(l.text); m != nil {
		c := citesOf(l.text[m[0]:m[1]])[0]
		last := c.ids[len(c.ids)-1]
		e, ok := j.x.cited[last]
		v := Found
		if !ok || !isNull(&e) {
			v = Wrong
		}
		j.report(l, span{m[0], m[1]}, "event", v, []uint64{last}, noteIf(v != Found, "that event returned something"))
	}
}

// cited reports whether ids stand between two places of a line, with no clause's end
// and no address before them.
func cited(text string, cites []cite, from, to int) bool {
	for _, c := range cites {
		if c.from >= from && c.to <= to {
			gap := text[from:c.from]
			return !strings.Contains(gap, "; ") && !addressToken.MatchString(gap)
		}
	}
	return false
}

// citedEvent judges that an event cited for a label is of it.
func (j *judge) citedEvent(l *line, lb label, ids []uint64) {
	v, note := Absent, "there is no such event"
	for _, id := range ids {
		if e, ok := j.x.cited[id]; ok {
			if lb.of(&e.Event) {
				j.report(l, lb.span, "event", Found, []uint64{id}, "")
				return
			}
			v, note = Elsewhere, fmt.Sprintf("#%d is %s", id, j.x.labelOf(&e.Event))
		}
	}
	j.report(l, lb.span, "event", v, ids, note)
}

// nullReturn judges that a call returned NULL: the event cited, one in the open at
// hand, or where none is at hand one in the run.
func (j *judge) nullReturn(l *line, lb label, s span, ids []uint64) {
	var among []seen
	where := "in this run"
	switch {
	case ids != nil:
		where = "there"
		for _, id := range ids {
			if e, ok := j.x.cited[id]; ok {
				among = append(among, e)
			}
		}
	case j.tree != nil:
		where = "in the open that the tree is of"
		if e, ordered := j.tree.find(func(e *seen) bool { return isNull(e) && lb.of(&e.Event) }); ordered {
			among = append(among, *e)
		} else if e != nil {
			j.report(l, s, "event", Wrong, []uint64{e.ID}, beforeTheLineAbove)
			return
		}
	case len(j.opens) > 0 && l.block == prose:
		where = "in the open that the lines before it are of"
		for _, w := range j.opens {
			among = append(among, w.events...)
		}
	default:
		for _, n := range j.x.nulls {
			among = append(among, *n)
		}
	}
	for i := range among {
		if e := &among[i]; isNull(e) && lb.of(&e.Event) {
			j.report(l, s, "event", Found, []uint64{e.ID}, "")
			return
		}
	}
	for _, n := range j.x.nulls {
		if lb.of(&n.Event) {
			j.report(l, s, "event", Elsewhere, []uint64{n.ID}, "no such event "+where+"; the first in the run is "+idWords([]uint64{n.ID}))
			return
		}
	}
	j.report(l, s, "event", Absent, nil, "no such event "+where)
}

func noteIf(yes bool, note string) string {
	if yes {
		return note
	}
	return ""
}

var (
	errnoWords = regexp.MustCompile(`−(\d+)(?: \((E[A-Z0-9]+)\))?(?:, no file)?[ (]+#(\d+)(?:–#(\d+))?`)
	killedAt   = regexp.MustCompile(`\b(killed|allocated) at #(\d+)`)
	ofCall     = regexp.MustCompile(`#(\d+)(?:–| and )#(\d+)`)
	ofLength   = regexp.MustCompile(`, length (\d+) \([^()]*#(\d+)\)`)
	mountedOn  = regexp.MustCompile("`([^`]*)` (\\d+):(\\d+) \\(#(\\d+)\\)")
	byTask     = regexp.MustCompile(`#(\d+) by ([^()]+)\)`)
)

// marks judges what is said of an event by its id alone.
func (j *judge) marks(l *line) {
	for _, m := range errnoWords.FindAllStringSubmatchIndex(l.text, -1) {
		group := func(n int) string {
			if m[2*n] < 0 {
				return ""
			}
			return l.text[m[2*n]:m[2*n+1]]
		}
		id := group(3)
		if group(4) != "" {
			id = group(4)
		}
		e, ok := j.x.cited[decimal(id)]
		right := ok && uint64(e.Errno()) == decimal(group(1)) && (group(2) == "" || group(2) == schema.ErrnoName(e.Errno()))
		j.mark(l, span{m[0], m[1]}, decimal(id), right, fmt.Sprintf("that event returned %d", -e.Errno()))
	}
	for _, m := range killedAt.FindAllStringSubmatchIndex(l.text, -1) {
		id := decimal(l.text[m[4]:m[5]])
		e, ok := j.x.cited[id]
		want := schema.RoleKill
		if l.text[m[2]:m[3]] == "allocated" {
			want = schema.RoleAlloc
		}
		j.mark(l, span{m[0], m[1]}, id, ok && e.Role == want, "that event is "+j.x.labelOf(&e.Event))
	}
	for _, m := range ofCall.FindAllStringSubmatchIndex(l.text, -1) {
		enter, exit := decimal(l.text[m[2]:m[3]]), decimal(l.text[m[4]:m[5]])
		j.mark(l, span{m[0], m[1]}, exit, j.x.cited[exit].enter == enter, "they are not the entry and the return of one call")
	}
	for _, m := range ofLength.FindAllStringSubmatchIndex(l.text, -1) {
		id := decimal(l.text[m[4]:m[5]])
		e := j.x.cited[id]
		j.mark(l, span{m[0] + 2, m[3]}, id, uint64(e.NameLen) == decimal(l.text[m[2]:m[3]]), fmt.Sprintf("that event has length %d", e.NameLen))
	}
	for _, m := range byTask.FindAllStringSubmatchIndex(l.text, -1) {
		id := decimal(l.text[m[2]:m[3]])
		e, ok := j.x.cited[id]
		j.mark(l, span{m[0], m[1] - 1}, id, ok && replay.Printable(e.Comm) == l.text[m[4]:m[5]], "that event is by "+replay.Printable(e.Comm))
	}
}

// filesystems judges the type and the device of the filesystem that an open gave.
func (j *judge) filesystems(l *line) {
	for _, m := range mountedOn.FindAllStringSubmatchIndex(l.text, -1) {
		id := decimal(l.text[m[8]:m[9]])
		e := j.x.cited[id]
		major, minor := uint64(e.Dev>>20), uint64(e.Dev&(1<<20-1))
		right := replay.Printable(e.FSType) == l.name[m[2]:m[3]] && major == decimal(l.text[m[4]:m[5]]) && minor == decimal(l.text[m[6]:m[7]])
		j.mark(l, span{m[0], m[7]}, id, right, fmt.Sprintf("that event is on %s %d:%d", replay.Printable(e.FSType), major, minor))
	}
}

func (j *judge) mark(l *line, s span, id uint64, right bool, note string) {
	switch _, ok := j.x.cited[id]; {
	case !ok:
		j.report(l, s, "event", Absent, nil, "there is no such event")
	case right:
		j.report(l, s, "event", Found, []uint64{id}, "")
	default:
		j.report(l, s, "event", Wrong, []uint64{id}, note)
	}
}

// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// The state pairs each exit with its entry, and knows the dentry at an address. This prints every open of a
// missing file by tm_miss, and the dentry that its name has.
func ExampleState() {
	file, err := os.Open("../traces/run1.pb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	r, err := schema.NewReader(file, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	state := replay.New(r.Header())
	for rec, err := r.Next(); err == nil; rec, err = r.Next() {
		e, ok := rec.(*schema.Event)
		if !ok {
			continue
		}
		s := state.Event(e)
		if e.Role == schema.RoleOpen && e.Phase == schema.Exit && e.Comm == "tm_miss" && s.Call != nil && e.Errno() != 0 {
			fmt.Println(s.Call.Enter.Name, schema.ErrnoName(e.Errno()))
		}
	}
	// Output:
	// /tmp/t_m.txt ENOENT
	// /tmp/t_m.txt ENOENT
}

// Calls yields every use of a path as a value. This prints the five opens that took longest.
func ExampleCalls() {
	file, err := os.Open("../traces/run1.pb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	r, err := schema.NewReader(file, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	var opens []*replay.PathCall
	for c, err := range replay.Calls(r) {
		if err != nil {
			fmt.Println(err)
			return
		}
		opens = append(opens, c)
	}
	slices.SortFunc(opens, func(a, b *replay.PathCall) int { return cmp.Compare(b.Took, a.Took) })
	for _, c := range opens[:5] {
		fmt.Printf("%d ns, %d of them the filesystem: %s of %s, #%d\n", c.Took, c.Filesystem, c.Class, replay.Printable(c.Path), c.ID)
	}
	// Output:
	// 10969464 ns, 0 of them the filesystem: ref of test_file_very_long_name_to_force_external_allocation_1795743165, #11
	// 6891344 ns, 1089773 of them the filesystem: miss of l_e.txt, #282
	// 5799569 ns, 5689333 of them the filesystem: miss of at/a, #843
	// 4828344 ns, 9645 of them the filesystem: miss of rename/a/f, #426
	// 4823757 ns, 4380172 of them the filesystem: miss of names/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn, #1038
}

// Negatives yields every negative dentry. This prints those that lookups made below /mnt, how many lookups
// they answered, and what became of them.
func ExampleNegatives() {
	file, err := os.Open("../traces/run1.pb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	r, err := schema.NewReader(file, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	for n, err := range replay.Negatives(r) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if strings.HasPrefix(n.Dir, "/mnt") && n.Birth == replay.BirthLookup {
			fmt.Println(n.Dir, n.Name, n.Hits, n.Fate)
		}
	}
	// Output:
	// /mnt/loopfs none.txt 0 killed
	// /mnt/casefold dir 0 made
}

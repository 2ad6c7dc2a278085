// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A line begins with the id and time of its own event, though most of it is copied from the last line.
func TestLinesBeginWithTheirOwnNumbers(t *testing.T) {
	ids := []uint64{1, 2, 8, 9, 10, 11, 98, 99, 100, 99_998, 99_999, 100_000, 100_001}
	times := []uint64{5, 999_999_999, 1_000_000_000, 1_000_000_001, 1_999_999_999, 2_000_000_000, 9_999_999_999, 10_000_000_000, 9_000_000_000, 9_000_000_999, 1e15, 1e15 + 1, 1e15 + 2}
	file := written(t, func(w *schema.Writer) (err error) {
		for i := range ids {
			for w.Events()+1 < ids[i] && err == nil { // events in between are not printed
				err = w.Append(&schema.Event{Time: 1, Role: schema.RoleFork, Phase: schema.Enter, Columns: 1 << schema.ColumnChild})
			}
			if err == nil {
				err = w.Append(&schema.Event{Time: times[i], PID: uint32(i / 4), TID: uint32(i / 4), Comm: "cat", Role: schema.RoleKill, Phase: schema.Enter, Columns: 1 << schema.ColumnDentry})
			}
		}
		return err
	})
	filter := &replay.Filter{Roles: []schema.Role{schema.RoleKill}}
	var text, json bytes.Buffer
	print(t, &text, file, filter, replay.NewText(replay.TextOptions{}))
	print(t, &json, file, filter, replay.NewJSON())
	for i := range ids {
		if want := fmt.Sprintf("#%d %6d.%06d cat/%d ", ids[i], times[i]/1e9, times[i]%1e9/1e3, i/4); strings.Count(text.String(), want) != 1 {
			t.Errorf("no line %q in\n%s", want, &text)
		}
		if want := fmt.Sprintf(`{"type":"event","id":%d,"time_ns":%d,"cpu":0,"pid":%d,`, ids[i], times[i], i/4); strings.Count(json.String(), want) != 1 {
			t.Errorf("no line %q in\n%s", want, &json)
		}
	}
}

// A call that is one event is printed if it has no column, and so is such a call of a role for which that
// is not known.
func TestCallsWithoutColumns(t *testing.T) {
	for _, role := range []schema.Role{schema.RoleLookupRCU, schema.RoleKill, 60} {
		for _, columns := range []schema.Columns{0, 1 << schema.ColumnKey} {
			file := written(t, func(w *schema.Writer) error {
				return w.Append(&schema.Event{Time: 1, PID: 1, TID: 1, Role: role, Phase: schema.Whole, Columns: columns, Name: "a", NameLen: 1})
			})
			for _, format := range []replay.Format{replay.NewJSON(), replay.NewText(replay.TextOptions{}), replay.NewText(replay.TextOptions{Wide: true}), replay.NewDmesg()} {
				var out bytes.Buffer
				print(t, &out, file, &replay.Filter{}, format)
				if line := `"phase":"call","symbol":"__d_lookup_rcu","depth":0`; role == schema.RoleLookupRCU && bytes.HasPrefix(out.Bytes(), []byte(`{"type":"header"`)) &&
					(!strings.Contains(out.String(), line) || !strings.Contains(out.String(), `"returned":{}}`+"\n")) {
					t.Errorf("%s", &out)
				}
			}
		}
	}
}

// Facts that this version does not know are ignored, whatever their bits.
func TestFactsOfOthers(t *testing.T) {
	for _, unknown := range []uint32{1 << 9, 1 << 31, 1<<31 | 1<<9} {
		file := written(t, func(w *schema.Writer) error {
			return w.Append(&schema.Event{Time: 1, PID: 1, TID: 1, Role: schema.RoleKill, Phase: schema.Enter, Columns: 1 << schema.ColumnDentry, Dentry: 0x1000, Facts: schema.Fact(unknown) | schema.FactMountpoint})
		})
		for _, c := range []struct {
			format replay.Format
			want   string
		}{{replay.NewJSON(), `,"facts":["mountpoint"]}`}, {replay.NewText(replay.TextOptions{}), " [mountpoint]\n"}, {replay.NewText(replay.TextOptions{Wide: true}), " [mountpoint]\n"}} {
			var out bytes.Buffer
			if print(t, &out, file, &replay.Filter{}, c.format); !strings.Contains(out.String(), c.want) {
				t.Errorf("%#x: no %q in\n%s", unknown, c.want, &out)
			}
		}
	}
}

func written(t *testing.T, add func(*schema.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := schema.NewWriter(&b, tracetest.Header())
	if err == nil {
		err = add(w)
	}
	if err == nil {
		err = w.Close(&schema.Footer{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

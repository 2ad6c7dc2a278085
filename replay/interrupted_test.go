// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// After an open whose exit was lost, the next open of the thread is not nested in it. Where nothing was
// lost, an open inside another is nested.
func TestAnOpenAfterALostExitIsNotNested(t *testing.T) {
	f := newFeed()
	f.do(1, schema.RoleOpen, schema.Enter, 0)
	if s := f.do(1, schema.RoleOpen, schema.Enter, 0); s.Depth != 1 {
		t.Errorf("nested open at depth %d", s.Depth)
	}
	f.do(1, schema.RoleOpen, schema.Exit, 0)
	f.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Count: 1, FirstNs: 3500, LastNs: 3600})
	if s := f.do(1, schema.RoleOpen, schema.Enter, 0); s.Depth != 0 || s.Open.Enter.ID != 4 {
		t.Errorf("the next open is at depth %d, in open #%d", s.Depth, s.Open.Enter.ID)
	}
	if s := f.do(1, schema.RoleOpen, schema.Exit, 0); s.Stray || s.Call.Enter.ID != 4 {
		t.Errorf("its exit leaves #%d", s.Call.Enter.ID)
	}
	if n := f.inProgress(); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

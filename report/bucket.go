// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Bucket Kind = 5

var _ = register(func() kind {
	return kind{
		number: Bucket,
		name:   "bucket",
		says:   "(bucket − dentry_hashtable) / 8 = hash >> d_hash_shift",
		alone:  true,
		needs:  replay.RolesOf(schema.RoleInsert),
		enters: replay.RolesOf(schema.RoleInsert),
		exits:  replay.RolesOf(schema.RoleInsert),
		event: func(v *view) {
			if e := v.step.Event; e.Bucket != 0 || v.layout.GetNameHash() == schema.NameHash_NAME_HASH_REDACTED {
				v.single(e, bucketDoubt(v.layout, e), About{}, e.Bucket)
			}
		},
		reasons: []*Reason{Redacted, NoHashTable, NotChainHead, WrongBucket},
		tell:    values,
		beside: func(p *page, e *schema.Event) string {
			if e.Bucket == 0 {
				return ""
			}
			l := p.f.Header.GetLayout()
			why := bucketDoubt(l, e)
			if why.verdict() == Unproven {
				return "; bucket " + p.verdict(why, About{})
			}
			return fmt.Sprintf("; bucket %s: (%#x − %#x) / 8 = %d, %d >> %d = %d", p.verdict(why, About{}), e.Bucket, l.DentryHashtable,
				(e.Bucket-l.DentryHashtable)/8, e.Hash, l.DHashShift, e.Hash>>l.DHashShift)
		},
	}
})

// Why a bucket claim is not proven.
var (
	NoHashTable  = &Reason{Unproven, "dentry_hashtable or d_hash_shift is not known", false}
	NotChainHead = &Reason{Unproven, "by then another dentry was ahead of it in the hash chain", false}
	WrongBucket  = &Reason{Refuted, "the bucket is not the one the hash selects", false}
)

// bucketDoubt compares the bucket of an insert with the one that the hash selects.
func bucketDoubt(l *schema.Layout, e *schema.Event) *Reason {
	if l.GetNameHash() == schema.NameHash_NAME_HASH_REDACTED {
		return Redacted
	}
	if l.GetDentryHashtable() == 0 || l.GetDHashShift() == 0 {
		return NoHashTable
	}
	off := e.Bucket - l.DentryHashtable
	if off >= 8<<(32-l.DHashShift) {
		return NotChainHead
	}
	if off%8 != 0 || off/8 != uint64(e.Hash)>>l.DHashShift {
		return WrongBucket
	}
	return nil
}

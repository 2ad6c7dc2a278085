// SPDX-License-Identifier: Apache-2.0

package diff

// place is where a dentry stands in a call: its number is its position in the
// call's list, from 1, in order of appearance.
type place struct {
	addr uint64
	seq  uint64 // of the replay.Object; 0: seen as a parent only
}

// placeOf returns the number of the dentry at addr, seq 0 where only the address is
// known. Another object at a known address is another place.
func (u *unit) placeOf(addr, seq uint64) int16 {
	if addr == 0 {
		return 0
	}
	for i := len(u.places) - 1; i >= 0; i-- {
		p := &u.places[i]
		if p.addr != addr {
			continue
		}
		if p.seq == 0 {
			p.seq = seq
		}
		if seq == 0 || p.seq == seq {
			return int16(i + 1)
		}
		break
	}
	if len(u.places) == maxPlaces {
		return -1
	}
	u.places = append(u.places, place{addr, seq})
	return int16(len(u.places))
}

// knows reports whether the call has met the object.
func (u *unit) knows(addr, seq uint64) bool {
	for i := len(u.places) - 1; i >= 0; i-- {
		if u.places[i].addr == addr {
			return u.places[i].seq == seq || u.places[i].seq == 0
		}
	}
	return false
}

// SPDX-License-Identifier: Apache-2.0

package report

import "strings"

// Why is the reason of a verdict that is not Proven.
type Why uint8

// The reasons. Each belongs to one verdict; Whys tells which, and to which kinds
// of claim it can come.
const (
	NoDoubt Why = iota // proven

	// The recording does not tell.
	NotAttached
	NotCounted
	FromLog
	EventsLost
	LateLoss
	OtherLosses
	DamagedFile
	MissedEnd
	Unwatched
	Forgotten
	CutName
	NoNameHash
	NoHashTable
	NoInlineSize
	NoNameAddress
	TooManyEvents
	NoResult
	LeftUnseen

	// What was recorded admits another explanation.
	Contradicted
	NameUnseen
	OwnHash
	NotChainHead
	NotLookedUp
	AllocOnly
	TwoParents
	KilledOnTheWay
	Replaced
	OtherParent
	MountPoint
	NotShown
	NotInserted
	WhichDentry
	InodeUnread
	GotInode
	HasInode
	InsertedPositive
	Renamed
	MovedAway
	OtherDirectory
	Overtaken
	NotNegative
	WinnerUnknown
	LostMeanwhile
	Unhashed
	OtherName
	MaybeKilled
	AfterItsEnd
	Unmoved

	// What was recorded contradicts the claim.
	WrongHash
	WrongBucket
	WrongPlace
	OtherComponent
	KilledBefore

	whys
)

// WhyInfo is one row of the table of reasons.
type WhyInfo struct {
	Why     Why
	Verdict Verdict // Unproven or Refuted
	Text    string  // as printed; %s stands for what it is about
	Kinds   []Kind  // the claims it can come to
	// Unseen: it lies in the recording alone, which lacks a probe, a count of missed
	// hits, events, or what was before it began.
	Unseen bool
}

// Whys lists every reason but NoDoubt, in the order of Why.
func Whys() []WhyInfo {
	all := []Kind{Key, Prefix, Equality, Storage, Hash, Bucket, Negative, Creation, Absence, Eviction, Delete, Move, HardLink, Race}
	timed := []Kind{Key, Prefix, Equality, Negative, Creation, Absence, Eviction, Delete, Move, HardLink, Race}
	lives := []Kind{Key, Equality, Negative, Creation, Eviction, Delete, Move, HardLink, Race}
	of := func(k ...Kind) []Kind { return k }
	return []WhyInfo{
		{NotAttached, Unproven, "probe not attached: %s", timed, true},
		{NotCounted, Unproven, "this kernel does not count missed hits: %s", timed, true},
		{FromLog, Unproven, "a kernel log tells no thread, and not what it lacks", timed, true},
		{EventsLost, Unproven, "events lost in the window: %s", timed, true},
		{LateLoss, Unproven, "a loss became known only after later events had been judged", all, true},
		{OtherLosses, Unproven, "the footer counts other events or losses than the file holds", all, false},
		{DamagedFile, Unproven, "the file is damaged, and no footer tells what it held", all, false},
		{MissedEnd, Unproven, "its memory was given back or handed out again at #%s and no kill was recorded", of(Key, Negative, Delete, HardLink, Race), false},
		{Unwatched, Unproven, "the watch set had no room for it at #%s: its end may not have been seen", lives, true},
		{Forgotten, Unproven, "more dentries were known at once than are remembered: it was forgotten, or what was known of it", lives, true},
		{CutName, Unproven, "the name could not be read whole", of(Key, Prefix, Hash, Negative, Move), false},
		{NoNameHash, Unproven, "this kernel's name hash is not known", of(Hash), false},
		{NoHashTable, Unproven, "dentry_hashtable or d_hash_shift is not known", of(Bucket), false},
		{NoInlineSize, Unproven, "the size of the inline name is not known", of(Storage), false},
		{NoNameAddress, Unproven, "the name's address was not recorded", of(Storage), false},
		{TooManyEvents, Unproven, "the open has more events than are looked at", of(Key, Negative), false},
		{NoResult, Unproven, "what a component came to was not recorded", of(Key), false},
		{LeftUnseen, Unproven, "what d_delete left was not recorded", of(Delete), false},

		{Contradicted, Unproven, "the events contradict each other: %s", lives, false},
		{NameUnseen, Unproven, "nothing shows both names in the hash table", of(HardLink), false},
		{OwnHash, Unproven, "the filesystem has its own hash (d_op->d_hash)", of(Hash), false},
		{NotChainHead, Unproven, "another dentry stood before it in the chain by then", of(Bucket), false},
		{NotLookedUp, Unproven, "not looked up: %s", of(Key), false},
		{AllocOnly, Unproven, "component %s was allocated and not looked up", of(Key), false},
		{TwoParents, Unproven, "a component was looked up under two dentries", of(Key, Negative), false},
		{KilledOnTheWay, Unproven, "the dentry of the component before was killed on the way", of(Key), false},
		{Replaced, Unproven, "the walk went on under another dentry than the one allocated, and no insertion of that was recorded", of(Key), false},
		{OtherParent, Unproven, "a component was looked up under another dentry than the one before it came to, and nothing recorded leads there", of(Key), false},
		{MountPoint, Unproven, "the last component is a mount point, and the open returned another dentry", of(Equality), false},
		{NotShown, Unproven, "no lookup or alloc of this open returned the dentry", of(Equality), false},
		{NotInserted, Unproven, "the new dentry was not inserted into the hash table", of(Equality), false},
		{WhichDentry, Unproven, "nothing shows which dentry the missing name came to", of(Negative), false},
		{InodeUnread, Unproven, "whether it has an inode could not be read", of(Negative), false},
		{GotInode, Unproven, "it got an inode at #%s", of(Negative), false},
		{HasInode, Unproven, "the dentry has an inode", of(Negative), false},
		{InsertedPositive, Unproven, "the dentry was inserted with an inode", of(Negative), false},
		{Renamed, Unproven, "a rename gave one of them its name", of(Race), false},
		{MovedAway, Unproven, "a rename at #%s took it away, or put another in its place", of(Negative), false},
		{OtherDirectory, Unproven, "nothing shows that both names were looked up in one directory", of(Eviction), false},
		{Overtaken, Unproven, "the dentry allocated was not inserted, and that of another thread, allocated at #%s, may have come first", of(Negative), false},
		{NotNegative, Unproven, "nothing shows it without inode before", of(Creation), false},
		{WinnerUnknown, Unproven, "the alloc or the insert of the other one was not recorded", of(Race), false},
		{LostMeanwhile, Unproven, "a lookup found it, and it was killed or dropped at #%s", of(Negative), false},
		{Unhashed, Unproven, "it was out of the hash table by then", of(Negative), false},
		{OtherName, Unproven, "the dentry was allocated for another name", of(Negative, Eviction), false},
		{MaybeKilled, Unproven, "whether dentry_kill at #%s ended it is not known", of(Negative, Eviction, Delete, HardLink, Race), false},
		{AfterItsEnd, Unproven, "it was killed at #%s, and this came after", of(Negative, Creation, Move, HardLink), false},
		{Unmoved, Unproven, "name and parent are the same after it", of(Move), false},

		{WrongHash, Refuted, "recomputed %s", of(Hash), false},
		{WrongBucket, Refuted, "the bucket is not the one the hash selects", of(Bucket), false},
		{WrongPlace, Refuted, "length and place of the name do not agree", of(Storage), false},
		{OtherComponent, Refuted, "the path has another component at that offset", of(Prefix), false},
		{KilledBefore, Refuted, "the dentry was killed at #%s before the open returned it", of(Equality), false},
	}
}

// whyTable is Whys made once, by Why; nothing writes to it.
var whyTable = append([]WhyInfo{{Verdict: Proven}}, Whys()...)

// Verdict is what the reason makes of a claim; Proven for NoDoubt.
func (w Why) Verdict() Verdict { return whyTable[w].Verdict }

// about is the reason as printed, with what it is about.
func (w Why) about(what string) string {
	return strings.Replace(whyTable[w].Text, "%s", what, 1)
}

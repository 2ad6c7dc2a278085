/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Copies a record from the stack to the ring buffer, in a few constant sizes. A record
 * that finds no room is counted.
 */
#ifndef DTREC_EMIT_H
#define DTREC_EMIT_H

#include "target.h"

struct record {
	struct head head;
	__u64 word[MAX_WORDS];
};

/* An event being put together. The record is not inside it: the compiler would then not know the number of words, and
 * would copy them one by one. */
struct event {
	struct record *rec;
	__u32 words;
	const void *name; /* the bytes that follow */
	__u64 name_len;
	const void *found; /* those of a CALL's dentry, behind them */
	__u64 found_len;
	__u32 found_at; /* which word has its facts; 0: it is NULL */
};

#define EVENT(e, role, phase)                                                    \
	struct record e##_record;                                                \
	struct event e = {.rec = &e##_record};                                   \
	begin(&e##_record.head, role, phase)

/* Counts a loss between `from` and `until`. The window keeps the earliest and the latest of such times. The latest
 * is never set back, so a program that is preempted in here cannot hide what another one counts meanwhile. */
static __always_inline void lost_within(__u32 cause, const struct head *h, __u64 from, __u64 until)
{
	__u32 i = ((__u32)h->cpu * LOSS_CAUSES + cause) * LOSS_ROLES + h->role;
	struct loss_slot *slot = bpf_map_lookup_elem(&losses, &i);

	if (!slot)
		return;
	if (slot->count == slot->acked || from < slot->first)
		slot->first = from;
	if (until > slot->last)
		slot->last = until;
	__sync_fetch_and_add(&slot->count, 1);
}

static __always_inline void lost(__u32 cause, const struct head *h)
{
	lost_within(cause, h, h->time, h->time);
}

/* The time is set later, by reserve. */
static __always_inline void begin(struct head *h, enum role role, enum phase phase)
{
	__u64 id = bpf_get_current_pid_tgid(), comm[2];

	CURRENT_COMM(comm); /* no helper gets the address of the record itself: the compiler would lose track of its contents */
	h->tgid = id >> 32;
	h->tid = id;
	h->comm[0] = comm[0];
	h->comm[1] = comm[1];
	h->facts = 0;
	h->stored = 0;
	h->cpu = bpf_get_smp_processor_id();
	h->role = role;
	h->phase = phase;
}

static __always_inline void put(struct event *e, __u64 value)
{
	e->rec->word[e->words++] = value;
}

static __always_inline void put_key(struct event *e, __u64 parent, __u32 length, __u32 hash)
{
	put(e, parent);
	put(e, length | (__u64)hash << 32);
}

/*
 * An entry leaves its time for the exit of the same call, so that the exit is paired with no other entry when events were lost.
 * If a hit was missed, an exit finds nothing or another call's time: the kernel counts missed hits, and the reader asks for them.
 */
static __always_inline void enters(const struct event *ev)
{
	__u64 key = (__u64)ev->rec->head.role << 32 | ev->rec->head.tid;
	struct entries *e = bpf_map_lookup_elem(&entered, &key);

	if (!e) {
		struct entries first = {};

		bpf_map_update_elem(&entered, &key, &first, 0);
		e = bpf_map_lookup_elem(&entered, &key);
		if (!e)
			return;
	}
	e->time[e->depth % MAX_ENTERED] = ev->rec->head.time;
	e->depth++;
}

/* Returns when this call was entered; 0: not known. */
static __always_inline __u64 leaves(const struct event *ev)
{
	__u64 key = (__u64)ev->rec->head.role << 32 | ev->rec->head.tid, time;
	struct entries *e = bpf_map_lookup_elem(&entered, &key);

	if (!e || !e->depth)
		return 0;
	e->depth--;
	time = e->time[e->depth % MAX_ENTERED];
	e->time[e->depth % MAX_ENTERED] = 0;
	return time;
}

/* The reader sleeps on a timer, and is woken only when much is waiting. That is checked ten times a millisecond, and
 * after waking it once a millisecond. */
static __always_inline void submit(void *rec, __u64 now)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (now > next_look) {
		next_look = now + 100000;
		if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > wakeup_bytes) {
			next_look = now + 1000000;
			flags = BPF_RB_FORCE_WAKEUP;
		}
	}
	bpf_ringbuf_submit(rec, flags);
}

/*
 * Reserves a place in the ring buffer, with `extra` bytes (a constant) behind the words, and takes the time after that:
 * a record with a later place has a later time, unless its program ran at the same time on another cpu.
 */
static __always_inline struct record *reserve(struct event *e, __u32 extra)
{
	struct record *from = e->rec, *rec = bpf_ringbuf_reserve(&events, sizeof(*from) - 8 * (MAX_WORDS - e->words) + extra, 0);

	e->rec->head.time = bpf_ktime_get_boot_ns();
	if (!rec) {
		lost(LOSS_RING_BUFFER, &e->rec->head);
		return NULL;
	}
	rec->head = from->head;
#pragma unroll
	for (int i = 0; i < MAX_WORDS; i++)
		if (i < e->words)
			rec->word[i] = from->word[i];
	return rec;
}

/* Returns the name bytes of a record. */
static __always_inline void *name_of(struct record *rec, const struct event *e)
{
	return (void *)rec + sizeof(rec->head) + 8 * e->words;
}

static __always_inline void unreadable(struct record *rec, const struct event *e)
{
	rec->head.stored = 0;
	rec->head.facts |= FACT_NAME_UNREADABLE;
	lost(LOSS_UNREADABLE_NAME, &e->rec->head);
}

/* Counts the loss of an event that has no time yet. */
static __always_inline void lost_now(__u32 cause, struct event *e)
{
	e->rec->head.time = bpf_ktime_get_boot_ns();
	lost(cause, &e->rec->head);
}

/* Sends an event without a name. */
static __always_inline void emit(struct event *e)
{
	struct record *rec = reserve(e, 0);

	if (rec)
		submit(rec, e->rec->head.time);
}

static __always_inline void emit_sized(struct event *e, const void *src, __u64 n, __u32 class)
{
	struct record *rec = reserve(e, class);

	if (!rec)
		return;
	rec->head.stored = n;
	if (bpf_probe_read_kernel(name_of(rec, e), n, src))
		unreadable(rec, e);
	submit(rec, e->rec->head.time);
}

/* Sends an event with the bytes of a component, at most 255. If they cannot be read, that is counted, and the event is
 * sent without them. */
static __always_inline void emit_name(struct event *e)
{
	const void *src = e->name;
	__u64 n = e->name_len;

	if (!src || !n) {
		emit(e);
		return;
	}
	barrier_var(n); /* compared and passed on as one register */
	if (n <= 32) {
		emit_sized(e, src, n, 32);
		return;
	}
	if (n > 255)
		n = 255;
	barrier_var(n);
	emit_sized(e, src, n & 255, 256);
}

static __always_inline void emit_names_sized(struct event *e, __u64 n, __u64 found, __u32 class)
{
	struct record *rec = reserve(e, 2 * class);

	if (!rec)
		return;
	rec->head.stored = n;
	if (n && bpf_probe_read_kernel(name_of(rec, e), n, e->name))
		unreadable(rec, e);
	if (!bpf_probe_read_kernel(name_of(rec, e) + class, found, e->found)) {
		rec->word[e->found_at] |= found << 16;
	} else {
		rec->word[e->found_at] |= FACT_NAME_UNREADABLE;
		lost(LOSS_UNREADABLE_NAME, &e->rec->head);
	}
	submit(rec, e->rec->head.time);
}

/* Sends a call that returned a dentry, with the bytes of the name it was given and of the dentry's name. These may differ:
 * some filesystems compare names by other rules, and the dentry may be renamed meanwhile. */
static __always_inline void emit_names(struct event *e)
{
	__u64 n = e->name ? e->name_len : 0, found = e->found_len;

	barrier_var(n);
	barrier_var(found);
	if (n <= 32 && found <= 32) {
		emit_names_sized(e, n, found, 32);
		return;
	}
	if (n > 255)
		n = 255;
	if (found > 255)
		found = 255;
	barrier_var(n);
	barrier_var(found);
	emit_names_sized(e, n & 255, found & 255, 256);
}

/* Returns false if the path is longer. */
static __always_inline bool emit_path_sized(struct event *e, const char *src, __u32 class, bool last)
{
	struct record *rec = reserve(e, class);
	long got;

	if (!rec)
		return true;
	got = bpf_probe_read_kernel_str(name_of(rec, e), class, src);
	if (got == class && !last) {
		bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);
		return false;
	}
	if (got > 0) {
		rec->head.stored = got - 1;
	} else {
		unreadable(rec, e);
	}
	submit(rec, e->rec->head.time);
	return true;
}

/* Sends an event with the path at src, of up to 4095 bytes; NULL: there is none. The length is found by reading: first into
 * a few bytes of stack, then into a record of 256, then into one of 4096. The length in the key is 0. */
static __always_inline void emit_path(struct event *e, const char *src)
{
	char probe[33];
	long got;

	if (!src) {
		emit(e);
		return;
	}
	got = bpf_probe_read_kernel_str(probe, sizeof(probe), src);
	if (got > 0 && got < sizeof(probe)) {
		emit_path_sized(e, src, 32, true);
		return;
	}
	if (!emit_path_sized(e, src, 256, false))
		emit_path_sized(e, src, 4096, true);
}

#endif

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From a record on the stack to the ring buffer, in a few constant sizes. What finds
 * no room is counted.
 */
#ifndef DTREC_EMIT_H
#define DTREC_EMIT_H

#include "target.h"

/* What was lost happened between r->time and `until`. Of several times the window keeps the least and the largest; the
 * largest is never set back, so that a program that is preempted in here cannot hide what another one counts meanwhile. */
static __always_inline void lost_within(__u32 cause, const struct record *r, __u64 until)
{
	__u32 i = ((__u32)r->cpu * LOSS_CAUSES + cause) * LOSS_ROLES + r->role;
	struct loss_slot *slot = bpf_map_lookup_elem(&losses, &i);

	if (!slot)
		return;
	if (slot->count == slot->acked || r->time < slot->first)
		slot->first = r->time;
	if (until > slot->last)
		slot->last = until;
	__sync_fetch_and_add(&slot->count, 1);
}

static __always_inline void lost(__u32 cause, const struct record *r)
{
	lost_within(cause, r, r->time);
}

static __always_inline void begin(struct record *r, enum role role, enum phase phase)
{
	__u64 id = bpf_get_current_pid_tgid();

	r->time = bpf_ktime_get_boot_ns();
	r->tgid = id >> 32;
	r->tid = id;
	r->cpu = bpf_get_smp_processor_id();
	r->role = role;
	r->phase = phase;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
}

/*
 * What an entry leaves for the exit of the same call, so that it pairs with no other when events between were lost.
 * A hit that was missed leaves nothing, or takes another's: the kernel counts those, and the reader looks there.
 */
static __always_inline void enters(const struct record *r)
{
	__u64 key = (__u64)r->role << 32 | r->tid;
	struct entries *e = bpf_map_lookup_elem(&entered, &key);

	if (!e) {
		struct entries first = {};

		bpf_map_update_elem(&entered, &key, &first, 0);
		e = bpf_map_lookup_elem(&entered, &key);
		if (!e)
			return;
	}
	e->time[e->depth % MAX_ENTERED] = r->time;
	e->depth++;
}

static __always_inline void leaves(struct record *r)
{
	__u64 key = (__u64)r->role << 32 | r->tid;
	struct entries *e = bpf_map_lookup_elem(&entered, &key);

	if (!e || !e->depth)
		return;
	e->depth--;
	r->entered = e->time[e->depth % MAX_ENTERED];
	e->time[e->depth % MAX_ENTERED] = 0;
}

static __always_inline void timed(struct record *r)
{
	if (r->phase == ENTER)
		enters(r);
	else
		leaves(r);
}

/* The reader sleeps on a timer; it is woken only when much is waiting, and then once a millisecond. */
static __always_inline void submit(void *rec, __u64 now)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > wakeup_bytes && now - last_wakeup > 1000000) {
		last_wakeup = now;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(rec, flags);
}

static __always_inline void copy_head(struct record *to, const struct record *from)
{
	__builtin_memcpy(to, from, sizeof(*to));
}

static __always_inline void emit(const struct record *r)
{
	struct record *rec = bpf_ringbuf_reserve(&events, sizeof(*rec), 0);

	if (!rec) {
		lost(LOSS_RING_BUFFER, r);
		return;
	}
	copy_head(rec, r);
	submit(rec, r->time);
}

/* Reserves one size class (a constant, as the verifier wants it), with `extra` bytes before the name. Name bytes
 * that cannot be read are counted, and the event is kept without them. */
#define EMIT_NAMED(r, src, n, extra, class, fill)                                \
	do {                                                                     \
		struct {                                                         \
			struct record head;                                      \
			char name[(extra) + (class)];                            \
		} *rec = bpf_ringbuf_reserve(&events, sizeof(*rec), 0);          \
		if (!rec) {                                                      \
			lost(LOSS_RING_BUFFER, r);                               \
			break;                                                   \
		}                                                                \
		copy_head(&rec->head, r);                                        \
		fill;                                                            \
		rec->head.stored = n;                                            \
		if (bpf_probe_read_kernel(rec->name + (extra), n, src)) {        \
			rec->head.stored = 0;                                    \
			rec->head.facts |= FACT_NAME_UNREADABLE;                 \
			lost(LOSS_UNREADABLE_NAME, r);                           \
		}                                                                \
		submit(rec, (r)->time);                                          \
	} while (0)

/* A record and r->name_len bytes of the component at r->name_addr, at most 255. */
static __always_inline void emit_name(const struct record *r)
{
	const void *src = (const void *)r->name_addr;
	__u64 n = r->name_len; /* 64 bits: compared and passed on as one register */

	if (!src || !n) {
		emit(r);
		return;
	}
	barrier_var(n);
	if (n <= 32) {
		EMIT_NAMED(r, src, n, 0, 32, );
		return;
	}
	if (n > 255)
		n = 255;
	barrier_var(n);
	EMIT_NAMED(r, src, n & 255, 0, 256, );
}

/* A record and the path at src, up to the 4095 bytes a path can have; sets name_len. The length is found by reading:
 * first into a few bytes of stack, then into a record of 256, then into one of 4096. */
#define EMIT_PATH(r, src, class, too_long)                                       \
	do {                                                                     \
		struct {                                                         \
			struct record head;                                      \
			char name[class];                                        \
		} *rec = bpf_ringbuf_reserve(&events, sizeof(*rec), 0);          \
		long got;                                                        \
		if (!rec) {                                                      \
			lost(LOSS_RING_BUFFER, r);                               \
			break;                                                   \
		}                                                                \
		got = bpf_probe_read_kernel_str(rec->name, class, src);          \
		if (got == (class) && (too_long)) {                              \
			bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);              \
			more = true;                                             \
			break;                                                   \
		}                                                                \
		copy_head(&rec->head, r);                                        \
		if (got > 0) {                                                   \
			rec->head.stored = rec->head.name_len = got - 1;         \
		} else {                                                         \
			rec->head.facts |= FACT_NAME_UNREADABLE;                 \
			lost(LOSS_UNREADABLE_NAME, r);                           \
		}                                                                \
		submit(rec, (r)->time);                                          \
	} while (0)

static __always_inline void emit_path(const struct record *r, const char *src)
{
	char probe[33];
	bool more = false;
	long got = bpf_probe_read_kernel_str(probe, sizeof(probe), src);

	if (got > 0 && got < sizeof(probe)) {
		EMIT_PATH(r, src, 32, false);
		return;
	}
	EMIT_PATH(r, src, 256, true);
	if (more)
		EMIT_PATH(r, src, 4096, false);
}

#endif

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What travels through the ring buffer, and the other memory shared with user
 * space. record.go and loss.go read it; a test holds the offsets together.
 */
#ifndef DTREC_RECORD_H
#define DTREC_RECORD_H

/* The numbers of schema's Role, Phase, Fact and LossCause. */
enum role {
	ROLE_OPEN = 1,
	ROLE_LOOKUP = 2,
	ROLE_LOOKUP_CHAIN = 3,
	ROLE_LOOKUP_RCU = 4,
	ROLE_ALLOC = 5,
	ROLE_INSERT = 6,
	ROLE_INSTANTIATE = 7,
	ROLE_DELETE = 8,
	ROLE_DROP = 9,
	ROLE_KILL = 10,
	ROLE_FREE = 11,
	ROLE_MOVE = 12,
	ROLE_EVICT = 13,
	ROLE_UNLINK = 14,
	ROLE_FORK = 15,
	ROLE_EXEC = 16,
	ROLE_EXIT = 17,
	ROLE_WALK = 20,
	ROLE_WALK_PARENT = 21,
	ROLE_STAT = 22,
	ROLE_ACCESS = 23,
	ROLE_READLINK = 24,
	ROLE_CHDIR = 25,
	ROLE_EXECVE = 26,
	ROLE_MKDIR = 27,
	ROLE_MKNOD = 28,
	ROLE_UNLINKAT = 29,
	ROLE_RMDIR = 30,
	ROLE_RENAME = 31,
	ROLE_LINK = 32,
	ROLE_SYMLINK = 33,
	ROLE_MOUNT = 34,
};

enum phase { ENTER = 1, EXIT = 2 };

enum fact {
	FACT_PARENT_IS_ROOT = 1,
	FACT_PARENT_OP_HASH = 2,
	FACT_MOUNTPOINT = 4,
	FACT_UNHASHED = 8,
	FACT_NAME_UNREADABLE = 32,
	FACT_UNWATCHED = 64,
	FACT_EXCHANGE = 128,
	FACT_OTHER_ROOT = 256,
};

enum loss_cause {
	LOSS_RING_BUFFER = 1,
	LOSS_MISSED, /* the kernel counts these; here only kretprobes without what their entry kept (stash.h) */
	LOSS_WATCH_OVERFLOW, /* of processes, and threads in open */
	LOSS_UNREADABLE_NAME,
	LOSS_LIMIT, /* user space's own */
	LOSS_UNWATCHED,
	LOSS_CAUSES,
};

#define LOSS_ROLES 64
#define FSTYPE_BYTES 16

/* One event. On open exit FSTYPE_BYTES follow with the NUL-terminated file system type; then `stored` name bytes. */
struct record {
	__u64 time; /* ns, CLOCK_BOOTTIME */
	__u64 parent;
	__u64 name_addr;
	__u64 dentry; /* open, walk enter: where the walk starts */
	__u64 inode;
	__u64 value; /* open, unlink, walk, operation exit: return value, where it is no error of a walk 0 and here the
		      * address of the struct file_system_type; insert: bucket; move enter: target; exit: wait status;
		      * lookup enter, alloc exit: address of the struct file_system_type */
	__u32 tgid;
	__u32 tid;
	__u32 name_len;
	__u32 hash;  /* open, walk enter: the dfd argument */
	__u32 facts;
	__u32 flags; /* open enter: open_flag; open exit, alloc exit, lookup enter: s_dev; fork: the child's tgid */
	__u16 mode;  /* open enter */
	__u16 stored;
	__u16 cpu;
	__u8 role;
	__u8 phase;
	char comm[16];
	__u64 entered; /* exits of open, delete, move, unlink, evict: `time` of the entry; 0: not known */
};

/* Lost events of one cpu, cause and role. User space stores in `acked` the count it has reported; the
 * first loss after that opens a new window. */
struct loss_slot {
	__u64 count;
	__u64 acked;
	__u64 first; /* ns, CLOCK_BOOTTIME */
	__u64 last;
};

#endif

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
	ROLE_LOOKUP,
	ROLE_LOOKUP_CHAIN,
	ROLE_LOOKUP_RCU,
	ROLE_ALLOC,
	ROLE_INSERT,
	ROLE_INSTANTIATE,
	ROLE_DELETE,
	ROLE_DROP,
	ROLE_KILL,
	ROLE_FREE,
	ROLE_MOVE,
	ROLE_EVICT,
	ROLE_UNLINK,
	ROLE_FORK,
	ROLE_EXEC,
	ROLE_EXIT,
	ROLE_HASH, /* imported traces only, and the next */
	ROLE_CALL,
	ROLE_WALK,
	ROLE_WALK_PARENT,
	ROLE_STAT,
	ROLE_ACCESS,
	ROLE_READLINK,
	ROLE_CHDIR,
	ROLE_EXECVE,
	ROLE_MKDIR,
	ROLE_MKNOD,
	ROLE_UNLINKAT,
	ROLE_RMDIR,
	ROLE_RENAME,
	ROLE_LINK,
	ROLE_SYMLINK,
	ROLE_MOUNT,
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

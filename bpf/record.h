/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What travels through the ring buffer, and the other memory shared with user
 * space. schema.Sender and loss.go read it; a test compares the offsets.
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
	ROLE_CHMOD = 35,
	ROLE_CHOWN = 36,
	ROLE_UTIMES = 37,
	ROLE_STATFS = 38,
	ROLE_TRUNCATE = 39,
	ROLE_PARALLEL = 40,
	ROLE_EXECVEAT = 41,
	ROLE_GETXATTR = 42,
	ROLE_SETXATTR = 43,
	ROLE_LISTXATTR = 44,
	ROLE_REMOVEXATTR = 45,
	ROLE_FCHMODAT = 46,
};

enum phase { ENTER = 1, EXIT = 2, CALL = 3 };

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
	LOSS_MISSED, /* counted by the kernel; here only kretprobes that found no arguments kept by their entry (stash.h) */
	LOSS_WATCH_OVERFLOW, /* of the maps of processes, and of threads in an open */
	LOSS_UNREADABLE_NAME,
	LOSS_LIMIT, /* user space's own */
	LOSS_UNWATCHED,
	LOSS_REBUILT, /* user space's own */
	LOSS_CAUSES,
};

#define LOSS_ROLES 64

/*
 * One event: the head, then the columns its role and phase have in schema's catalogue, in the order of Column, in words
 * of 64 bits, then `stored` name bytes. The words of a column:
 *
 *   KEY           parent, length | hash << 32
 *   NAME_ADDRESS  address
 *   DENTRY        address, and unless that is 0: inode, name address, parent, length | hash << 32
 *   OPEN          open_flag | mode << 32
 *   FILESYSTEM    address of the struct file_system_type, s_dev
 *   TOOK          time of the entry; 0: not known
 *   START         address, dfd
 *   others        the value
 *
 * A CALL has the columns of both phases. The head's facts and `stored` are those of the key; a dentry that is not NULL
 * has one word more, facts | stored << 16, and its name stands in the second half of the bytes behind the words.
 */
struct head {
	__u64 time; /* ns, CLOCK_BOOTTIME */
	__u32 tgid;
	__u32 tid;
	__u64 comm[2];
	__u16 facts;
	__u16 stored;
	__u16 cpu;
	__u8 role;
	__u8 phase;
};

#define MAX_WORDS 11

/* Lost events of one cpu, cause and role. User space stores in `acked` the count that it has reported; the
 * first loss after that opens a new window. */
struct loss_slot {
	__u64 count;
	__u64 acked;
	__u64 first; /* ns, CLOCK_BOOTTIME */
	__u64 last;
};

#endif

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The kernel's structures, reduced to the members dcache.h reads. Offsets are
 * those of the running kernel: every access is relocated against its BTF when the
 * program is loaded (CO-RE), also where a member has moved into an anonymous
 * struct or union since (dentry.d_name in 6.18, filename.name in 7.0).
 */
#ifndef DTREC_KERNEL_H
#define DTREC_KERNEL_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inode {
	unsigned long i_ino;
};

struct qstr {
	union {
		struct {
			__u32 hash;
			__u32 len;
		};
		__u64 hash_len;
	};
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
};

struct ctl_table {
	const char *procname;
	void *data;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	__u32 s_dev;
	struct file_system_type *s_type;
};

struct lockref {
	int count;
};

struct dentry {
	unsigned int d_flags;
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
	struct lockref d_lockref;
};

struct vfsmount;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	void *private_data;
};

struct fs_struct {
	struct path root, pwd;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct filename {
	const char *name;
};

struct open_flags {
	int open_flag;
	unsigned short mode;
	int lookup_flags;
};

struct linux_binprm {
	const char *filename;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
};

struct task_struct {
	int exit_code;
	int pid;
	int tgid;
	char comm[16];
	struct signal_struct *signal;
	struct fs_struct *fs;
	struct files_struct *files;
};

enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158,
};

#pragma clang attribute pop

#endif

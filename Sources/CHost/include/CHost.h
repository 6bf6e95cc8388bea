// SPDX-License-Identifier: GPL-2.0-or-later
/* Linux interfaces that the Glibc overlay does not show: headers it leaves out, and functions and constants
   that need _GNU_SOURCE (which this header must not define, or its types would clash with the overlay's).
   No logic here. */
#pragma once
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <pty.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

extern const int martlet_O_DIRECT;
extern const int martlet_F_OFD_SETLK;
extern const int martlet_F_OFD_GETLK;
extern const int martlet_RWF_NOWAIT;
extern const int martlet_RWF_DSYNC;

/* Functions that need _GNU_SOURCE. */
int martlet_memfd_create(const char *name, unsigned int flags);
int martlet_fallocate(int fd, int mode, int64_t offset, int64_t length);
ssize_t martlet_preadv2(int fd, const struct iovec *segments, int count, int64_t offset, int flags);
ssize_t martlet_pwritev2(int fd, const struct iovec *segments, int count, int64_t offset, int flags);
int martlet_accept4(int fd, int flags);
/* recvmsg() of bytes and of up to 16 descriptors, close-on-exec; *count says how many came. */
ssize_t martlet_receive(int fd, void *buffer, size_t size, int descriptors[16], int *count);
int martlet_gettid(void);
int martlet_tgkill(int tid, int signal);
int martlet_setname(const char *name);

/* The processor's PAUSE, for loops that wait. */
static inline void martlet_pause(void) { __builtin_ia32_pause(); }

/* On how many processors this process may run; a set is read by macros. */
int martlet_usable_processors(void);

/* Variadic functions, which cannot be imported. */
int martlet_fcntl(int fd, int command, long argument);
int martlet_fcntl_lock(int fd, int command, struct flock *lock);
int martlet_open(const char *path, int flags, unsigned int mode);

/* Marked unavailable to Swift: the caller has no other thread. */
int martlet_fork(void);

// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CHost.h"

const int martlet_O_DIRECT = O_DIRECT;
const int martlet_F_OFD_SETLK = F_OFD_SETLK;
const int martlet_F_OFD_GETLK = F_OFD_GETLK;
const int martlet_RWF_NOWAIT = RWF_NOWAIT;
const int martlet_RWF_DSYNC = RWF_DSYNC;

int martlet_memfd_create(const char *name, unsigned int flags) { return memfd_create(name, flags); }
int martlet_fallocate(int fd, int mode, int64_t offset, int64_t length) { return fallocate(fd, mode, offset, length); }
ssize_t martlet_preadv2(int fd, const struct iovec *segments, int count, int64_t offset, int flags) {
  return preadv2(fd, segments, count, offset, flags);
}
ssize_t martlet_pwritev2(int fd, const struct iovec *segments, int count, int64_t offset, int flags) {
  return pwritev2(fd, segments, count, offset, flags);
}
int martlet_accept4(int fd, int flags) { return accept4(fd, NULL, NULL, flags); }
int martlet_gettid(void) { return (int)syscall(SYS_gettid); }
int martlet_tgkill(int tid, int signal) { return (int)syscall(SYS_tgkill, getpid(), tid, signal); }
int martlet_setname(const char *name) { return pthread_setname_np(pthread_self(), name); }
int martlet_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }
int martlet_fcntl_lock(int fd, int command, struct flock *lock) { return fcntl(fd, command, lock); }
int martlet_open(const char *path, int flags, unsigned int mode) { return open(path, flags, mode); }

int martlet_fork(void) { return fork(); }

// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
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
ssize_t martlet_receive(int fd, void *buffer, size_t size, int descriptors[16], int *count) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(16 * sizeof(int))];
  } control;
  struct iovec segment = {buffer, size};
  struct msghdr message = {.msg_iov = &segment, .msg_iovlen = 1};
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  *count = 0;
  ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    int here = (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    if (here > 16 - *count) here = 16 - *count;
    memcpy(descriptors + *count, CMSG_DATA(part), here * sizeof(int));
    *count += here;
  }
  return got;
}
int martlet_gettid(void) { return (int)syscall(SYS_gettid); }
int martlet_tgkill(int tid, int signal) { return (int)syscall(SYS_tgkill, getpid(), tid, signal); }
int martlet_setname(const char *name) { return pthread_setname_np(pthread_self(), name); }
int martlet_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }
int martlet_fcntl_lock(int fd, int command, struct flock *lock) { return fcntl(fd, command, lock); }
int martlet_open(const char *path, int flags, unsigned int mode) { return open(path, flags, mode); }

int martlet_usable_processors(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int martlet_fork(void) { return fork(); }

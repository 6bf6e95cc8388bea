// SPDX-License-Identifier: GPL-2.0-or-later
#include "CAllocationCounter.h"

#include <errno.h>
#include <stddef.h>

/* The C library's allocator under its other names. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

/* Initial-exec: the dynamic model may itself call malloc. */
static __thread long count __attribute__((tls_model("initial-exec")));
static __thread int counting __attribute__((tls_model("initial-exec")));

void martlet_allocation_count_start(void) {
  count = 0;
  counting = 1;
}

long martlet_allocation_count_stop(void) {
  counting = 0;
  return count;
}

void *malloc(size_t size) {
  count += counting;
  return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
  count += counting;
  return __libc_calloc(number, size);
}
void *realloc(void *old, size_t size) {
  count += counting;
  return __libc_realloc(old, size);
}
void *memalign(size_t alignment, size_t size) {
  count += counting;
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **result, size_t alignment, size_t size) {
  void *block = memalign(alignment, size);
  if (!block) return ENOMEM;
  *result = block;
  return 0;
}

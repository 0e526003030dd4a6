/* LD_PRELOAD shim: makes chosen calls on the files below one folder fail, counted from the moment it is armed.
 *
 * failing_arm(folder, at, count, error): the calls number `at` to `at + count - 1` fail with `error`; with SHORT they
 * take half of what they were given, which only a write can. `at` 0 fails none and counts.
 * failing_calls(): how many calls have been counted. failing_name(): the first that was made to fail, or "". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SHORT = -1 };
static char root[4096];
static size_t root_bytes;
static long first, last;
static int error_to_give;
static atomic_long calls;
static char failed[64];

void failing_arm(const char *folder, long at, long count, int error) {
  first = at; last = at + count - 1; error_to_give = error;
  calls = 0; failed[0] = 0;
  root_bytes = strlen(folder);
  strcpy(root, folder);
}
long failing_calls(void) { return calls; }
const char *failing_name(void) { return failed; }

static int below(const char *path) { return root_bytes && path && !strncmp(path, root, root_bytes); }

static int ours(int fd) {
  char link[40], path[4096];
  if (!root_bytes || fd < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t bytes = readlink(link, path, sizeof path - 1);
  if (bytes <= 0) return 0;
  path[bytes] = 0;
  return below(path);
}

/* What this call is to do: 0 what it always does, SHORT half of it, else fail with that error. */
static int fate(const char *name, int can_be_short) {
  long number = ++calls;
  if (!first || number < first || number > last) return 0;
  if (error_to_give == SHORT && !can_be_short) return 0;
  if (!failed[0]) strncpy(failed, name, sizeof failed - 1);
  return error_to_give;
}

#define REAL(name, type, ...) static type (*real)(__VA_ARGS__); if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)
#define FAIL(name, is_ours, value) if (is_ours) { int how = fate(#name, 0); if (how > 0) { errno = how; return value; } }

#define OPEN_LIKE(name) int name(const char *path, int flags, ...) { \
  va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
  REAL(name, int, const char *, int, ...); FAIL(name, below(path), -1) return real(path, flags, mode); }
OPEN_LIKE(open)
OPEN_LIKE(open64)
#define OPENAT_LIKE(name) int name(int at, const char *path, int flags, ...) { \
  va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
  REAL(name, int, int, const char *, int, ...); FAIL(name, below(path), -1) return real(at, path, flags, mode); }
OPENAT_LIKE(openat)
OPENAT_LIKE(openat64)

#define PART(name) int how = ours(fd) ? fate(#name, 1) : 0; if (how > 0) { errno = how; return -1; }
ssize_t write(int fd, const void *from, size_t bytes) {
  REAL(write, ssize_t, int, const void *, size_t); PART(write)
  return real(fd, from, how == SHORT ? bytes / 2 : bytes);
}
#define PWRITE_LIKE(name, offset_type) ssize_t name(int fd, const void *from, size_t bytes, offset_type offset) { \
  REAL(name, ssize_t, int, const void *, size_t, offset_type); PART(name) \
  return real(fd, from, how == SHORT ? bytes / 2 : bytes, offset); }
PWRITE_LIKE(pwrite, off_t)
PWRITE_LIKE(pwrite64, off64_t)

/* Half of a vector: its first part alone, or half of that. */
static int half(const struct iovec *data, int parts, struct iovec *one) {
  *one = data[0];
  if (parts == 1) one->iov_len /= 2;
  return 1;
}
ssize_t writev(int fd, const struct iovec *data, int parts) {
  REAL(writev, ssize_t, int, const struct iovec *, int); PART(writev)
  struct iovec one;
  return how == SHORT ? real(fd, &one, half(data, parts, &one)) : real(fd, data, parts);
}
#define PWRITEV_LIKE(name, offset_type) ssize_t name(int fd, const struct iovec *data, int parts, offset_type offset) { \
  REAL(name, ssize_t, int, const struct iovec *, int, offset_type); PART(name) struct iovec one; \
  return how == SHORT ? real(fd, &one, half(data, parts, &one), offset) : real(fd, data, parts, offset); }
PWRITEV_LIKE(pwritev, off_t)
PWRITEV_LIKE(pwritev64, off64_t)

#define FD_LIKE(name) int name(int fd) { REAL(name, int, int); FAIL(name, ours(fd), -1) return real(fd); }
FD_LIKE(fsync)
FD_LIKE(fdatasync)
#define TRUNCATE_LIKE(name, offset_type) int name(int fd, offset_type bytes) { \
  REAL(name, int, int, offset_type); FAIL(name, ours(fd), -1) return real(fd, bytes); }
TRUNCATE_LIKE(ftruncate, off_t)
TRUNCATE_LIKE(ftruncate64, off64_t)

/* Unlike the others it returns its error. */
#define FALLOCATE_LIKE(name, offset_type) int name(int fd, offset_type from, offset_type bytes) { \
  REAL(name, int, int, offset_type, offset_type); FAIL(name, ours(fd), how) return real(fd, from, bytes); }
FALLOCATE_LIKE(posix_fallocate, off_t)
FALLOCATE_LIKE(posix_fallocate64, off64_t)

int unlink(const char *path) { REAL(unlink, int, const char *); FAIL(unlink, below(path), -1) return real(path); }
int rename(const char *from, const char *to) {
  REAL(rename, int, const char *, const char *); FAIL(rename, below(from), -1) return real(from, to);
}
#define MMAP_LIKE(name, offset_type) void *name(void *at, size_t bytes, int prot, int flags, int fd, offset_type offset) { \
  REAL(name, void *, void *, size_t, int, int, int, offset_type); FAIL(name, ours(fd), MAP_FAILED) \
  return real(at, bytes, prot, flags, fd, offset); }
MMAP_LIKE(mmap, off_t)
MMAP_LIKE(mmap64, off64_t)

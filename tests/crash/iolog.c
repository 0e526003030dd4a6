/* LD_PRELOAD shim: writes down what a process does to the files below $IOLOG_DIR, in the order in which it does it.
 *
 * An event is a struct event, a path or two, and data. A file whose name is "marks" is no part of the log: what is
 * written to it becomes an event of its own, by which the workload says what it has been promised so far.
 * LMDB's lock files are left out; they are shared memory, and mean nothing after a crash. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MARK, MKDIR };
struct event { uint8_t op, dsync; uint16_t path_bytes; uint32_t pid; int32_t fd; uint32_t data_bytes; uint64_t offset; } __attribute__((packed));
enum { NONE, FILE_FD, DSYNC_FD, MARKS_FD };
static char kinds[65536];
static int log_fd = -1;
static const char *root;
static size_t root_bytes;

#define REAL(name, type, ...) static type (*real)(__VA_ARGS__); if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static void note(int op, int dsync, int fd, uint64_t offset, const char *path, const struct iovec *data, int parts) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (!real) real = (ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
  struct iovec all[66];
  struct event event = { op, dsync, path ? strlen(path) : 0, getpid(), fd, 0, offset };
  if (parts > 64) abort();
  all[0].iov_base = &event; all[0].iov_len = sizeof event;
  all[1].iov_base = (void *)path; all[1].iov_len = event.path_bytes;
  for (int i = 0; i < parts; i++) { all[i + 2] = data[i]; event.data_bytes += data[i].iov_len; }
  if (real(log_fd, all, parts + 2) < 0) abort();
}

__attribute__((constructor)) static void start(void) {
  REAL(open64, int, const char *, int, ...);
  const char *path = getenv("IOLOG");
  root = getenv("IOLOG_DIR");
  if (!path || !root) return;
  root_bytes = strlen(root);
  log_fd = real(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int ours(const char *path) {
  return log_fd >= 0 && path && !strncmp(path, root, root_bytes) && !strstr(path, "-lock");
}

static void opened(int fd, const char *path, int flags) {
  if (fd < 0 || fd >= (int)sizeof kinds) return;
  kinds[fd] = NONE;
  if (!ours(path)) return;
  const char *name = strrchr(path, '/');
  if (name && !strcmp(name, "/marks")) { kinds[fd] = MARKS_FD; return; }
  kinds[fd] = (flags & O_DSYNC) ? DSYNC_FD : FILE_FD;
  note(OPEN, 0, fd, (flags & O_TRUNC) != 0, path, 0, 0);
}

#define OPEN_LIKE(name) int name(const char *path, int flags, ...) { \
  va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
  REAL(name, int, const char *, int, ...); int fd = real(path, flags, mode); opened(fd, path, flags); return fd; }
OPEN_LIKE(open)
OPEN_LIKE(open64)
/* A path below an open folder, as it is called now; a folder that is renamed takes what is open in it along. */
static const char *at_path(int at, const char *path, char room[4096]) {
  if (log_fd < 0 || at < 0 || *path == '/') return path;
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", at);
  ssize_t bytes = readlink(link, room, 4095 - strlen(path) - 1);
  if (bytes < 0) return path;
  room[bytes] = '/';
  strcpy(room + bytes + 1, path);
  return room;
}

#define OPENAT_LIKE(name) int name(int at, const char *path, int flags, ...) { char room[4096]; \
  va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
  REAL(name, int, int, const char *, int, ...); int fd = real(at, path, flags, mode); \
  if (fd >= 0) opened(fd, at_path(at, path, room), flags); return fd; }
OPENAT_LIKE(openat)
OPENAT_LIKE(openat64)

static int kind(int fd) { return log_fd >= 0 && fd >= 0 && fd < (int)sizeof kinds ? kinds[fd] : NONE; }

int close(int fd) { REAL(close, int, int); if (kind(fd)) kinds[fd] = NONE; return real(fd); }

static void wrote(int fd, uint64_t offset, const struct iovec *data, int parts) {
  if (kind(fd) == MARKS_FD) note(MARK, 0, fd, 0, 0, data, parts);
  else note(WRITE, kind(fd) == DSYNC_FD, fd, offset, 0, data, parts);
}

ssize_t write(int fd, const void *from, size_t bytes) {
  REAL(write, ssize_t, int, const void *, size_t);
  ssize_t done = real(fd, from, bytes);
  if (done > 0 && kind(fd)) { struct iovec one = { (void *)from, done }; wrote(fd, lseek(fd, 0, SEEK_CUR) - done, &one, 1); }
  return done;
}

#define PWRITE_LIKE(name, offset_type) ssize_t name(int fd, const void *from, size_t bytes, offset_type offset) { \
  REAL(name, ssize_t, int, const void *, size_t, offset_type); ssize_t done = real(fd, from, bytes, offset); \
  if (done > 0 && kind(fd)) { struct iovec one = { (void *)from, done }; wrote(fd, offset, &one, 1); } return done; }
PWRITE_LIKE(pwrite, off_t)
PWRITE_LIKE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *data, int parts) {
  REAL(writev, ssize_t, int, const struct iovec *, int);
  ssize_t done = real(fd, data, parts);
  if (done > 0 && kind(fd)) wrote(fd, lseek(fd, 0, SEEK_CUR) - done, data, parts);
  return done;
}

#define PWRITEV_LIKE(name, offset_type) ssize_t name(int fd, const struct iovec *data, int parts, offset_type offset) { \
  REAL(name, ssize_t, int, const struct iovec *, int, offset_type); ssize_t done = real(fd, data, parts, offset); \
  if (done > 0 && kind(fd)) { wrote(fd, offset, data, parts); } return done; }
PWRITEV_LIKE(pwritev, off_t)
PWRITEV_LIKE(pwritev64, off64_t)

#define SYNC_LIKE(name) int name(int fd) { REAL(name, int, int); int failed = real(fd); \
  if (!failed && kind(fd)) { note(SYNC, 0, fd, 0, 0, 0, 0); } return failed; }
SYNC_LIKE(fsync)
SYNC_LIKE(fdatasync)

#define TRUNCATE_LIKE(name, offset_type) int name(int fd, offset_type bytes) { REAL(name, int, int, offset_type); \
  int failed = real(fd, bytes); if (!failed && kind(fd)) { note(TRUNCATE, 0, fd, bytes, 0, 0, 0); } return failed; }
TRUNCATE_LIKE(ftruncate, off_t)
TRUNCATE_LIKE(ftruncate64, off64_t)

int unlink(const char *path) {
  REAL(unlink, int, const char *);
  int failed = real(path);
  if (!failed && ours(path)) note(UNLINK, 0, -1, 0, path, 0, 0);
  return failed;
}

int unlinkat(int at, const char *path, int flags) {
  REAL(unlinkat, int, int, const char *, int);
  char room[4096];
  int failed = real(at, path, flags);
  if (!failed && ours(at_path(at, path, room))) note(UNLINK, 0, -1, 0, at_path(at, path, room), 0, 0);
  return failed;
}

int rmdir(const char *path) {
  REAL(rmdir, int, const char *);
  int failed = real(path);
  if (!failed && ours(path)) note(UNLINK, 0, -1, 0, path, 0, 0);
  return failed;
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir, int, const char *, mode_t);
  int failed = real(path, mode);
  if (!failed && ours(path)) note(MKDIR, 0, -1, 0, path, 0, 0);
  return failed;
}

int rename(const char *from, const char *to) {
  REAL(rename, int, const char *, const char *);
  int failed = real(from, to);
  if (!failed && ours(from)) { struct iovec one = { (void *)to, strlen(to) }; note(RENAME, 0, -1, 0, from, &one, 1); }
  return failed;
}

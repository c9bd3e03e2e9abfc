/*
 * Starts a logvend program from one file: this executable, followed by a payload and a trailer.
 *
 *   [ this ELF, static ][ payload: tar, zstd ][ trailer, 64 bytes ]
 *
 * The payload holds Deno, the bundled programs and DuckDB's libraries. At the first start it is
 * unpacked into <cache>/<id>, the id being the payload's hash; later starts find it there. Then this
 * process becomes Deno (execve: same pid, so signals and supervisors work) with the arguments that
 * the payload has in <program>.args, `{root}` standing for the unpacked folder.
 *
 * Several starts may race, be killed midway, or belong to different versions. So:
 * - a payload is unpacked into a temporary folder, synced, and renamed: <id> is whole or absent;
 * - who unpacks or runs from a folder holds a shared lock on it (flock on the folder, inherited by
 *   Deno and its children); a folder goes only when it is old and an exclusive lock can be had.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#ifndef PROGRAM
#error "build with -DPROGRAM='\"logvend\"' or the like"
#endif

#define EXIT_CANNOT_RUN 126
#define TEMPORARY_PREFIX ".unpacking-"
#define UNUSED_MAX_S (24 * 3600) /* younger versions stay: two may take turns on one host */
#define ARGUMENTS_MAX 64

static const char MAGIC[16] = "LOGVEND-PAYLOAD";

struct trailer {
  char magic[16];
  uint64_t offset; /* of the payload, little endian, as the other number */
  uint64_t length;
  char id[32]; /* hex, no terminator */
};

/* ---- small helpers ---------------------------------------------------------------------- */

static char *format(const char *pattern, ...) {
  char *text;
  va_list values;
  va_start(values, pattern);
  if (vasprintf(&text, pattern, values) < 0) abort();
  va_end(values);
  return text;
}

/* Why each place was of no use: shown only when none was. */
static char complaints[4096];

static void complain(const char *what, const char *path) {
  size_t used = strlen(complaints);
  snprintf(complaints + used, sizeof complaints - used, PROGRAM ": cannot %s %s: %s\n", what, path,
           strerror(errno));
}

static int write_all(int file, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(file, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -1;
    bytes += written;
    count -= (size_t)written;
  }
  return 0;
}

/* mkdir -p */
static int make_folders(const char *path) {
  char *copy = format("%s", path);
  for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(copy, 0755);
    *slash = '/';
  }
  int result = mkdir(copy, 0700) && errno != EEXIST ? -1 : 0;
  free(copy);
  return result;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type, (void)walk;
  return remove(path);
}

static void remove_tree(const char *path) { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

/* A folder that only we (or root) can have filled. */
static int is_trusted(const char *path) {
  struct stat status;
  if (lstat(path, &status)) return 0;
  int is_ours = status.st_uid == geteuid() || status.st_uid == 0;
  if (S_ISDIR(status.st_mode) && is_ours && !(status.st_mode & 022)) return 1;
  errno = EPERM;
  return 0;
}

/* ---- unpacking: zstd -> tar -> files ---------------------------------------------------- */

#define BLOCK 512 /* of a tar file */

struct untar {
  const char *folder;
  int file;              /* the one being written, or -1 */
  uint64_t left;         /* bytes of it to come */
  uint64_t padding;      /* bytes to skip after it */
  char header[BLOCK];
  size_t header_length;  /* bytes of the header so far */
};

/* Opens what a complete ustar header announces. Only folders and files: that is all we pack. */
static int start_entry(struct untar *tar) {
  char *header = tar->header;
  if (header[0] == 0) return 0; /* the end: blocks of zeros */
  char name[101] = {0};
  memcpy(name, header, 100);
  if (name[0] == '/' || strstr(name, "..")) {
    errno = EINVAL;
    return -1;
  }
  char *path = format("%s/%s", tar->folder, name);
  mode_t mode = strtoul(header + 100, NULL, 8) & 0755;
  char type = header[156];
  int result = 0;
  if (type == '5') {
    result = mkdir(path, 0755) && errno != EEXIST ? -1 : 0;
  } else if (type == '0') {
    tar->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    tar->left = strtoull(header + 124, NULL, 8);
    tar->padding = (BLOCK - tar->left % BLOCK) % BLOCK;
    if (tar->file < 0) result = -1;
    else if (tar->left == 0) result = close(tar->file);
  } else {
    errno = ENOTSUP;
    result = -1;
  }
  free(path);
  return result;
}

/* Takes the next bytes of the tar stream. Returns how many, or -1. */
static ssize_t untar_some(struct untar *tar, const char *bytes, size_t count) {
  if (tar->left > 0) {
    size_t some = count < tar->left ? count : tar->left;
    if (write_all(tar->file, bytes, some)) return -1;
    tar->left -= some;
    if (tar->left == 0 && close(tar->file)) return -1;
    return (ssize_t)some;
  }
  if (tar->padding > 0) {
    size_t some = count < tar->padding ? count : tar->padding;
    tar->padding -= some;
    return (ssize_t)some;
  }
  size_t wanted = BLOCK - tar->header_length;
  size_t some = count < wanted ? count : wanted;
  memcpy(tar->header + tar->header_length, bytes, some);
  tar->header_length += some;
  if (tar->header_length == BLOCK) {
    tar->header_length = 0;
    if (start_entry(tar)) return -1;
  }
  return (ssize_t)some;
}

static int untar_all(struct untar *tar, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t taken = untar_some(tar, bytes, count);
    if (taken < 0) return -1;
    bytes += taken;
    count -= (size_t)taken;
  }
  return 0;
}

static int unpack(int self, const struct trailer *trailer, const char *folder) {
  static char packed[1 << 17], plain[1 << 18];
  struct untar tar = {.folder = folder, .file = -1};
  ZSTD_DCtx *context = ZSTD_createDCtx();
  size_t state = 1; /* 0 once a frame is complete and its checksum right */
  for (uint64_t at = 0; at < trailer->length;) {
    uint64_t left = trailer->length - at;
    size_t wanted = left < sizeof packed ? left : sizeof packed;
    ssize_t got = pread(self, packed, wanted, (off_t)(trailer->offset + at));
    if (got <= 0) return -1;
    at += (uint64_t)got;
    ZSTD_inBuffer in = {packed, (size_t)got, 0};
    while (in.pos < in.size) {
      ZSTD_outBuffer out = {plain, sizeof plain, 0};
      state = ZSTD_decompressStream(context, &out, &in);
      if (ZSTD_isError(state)) {
        errno = EBADMSG;
        return -1;
      }
      if (untar_all(&tar, plain, out.pos)) return -1;
    }
  }
  ZSTD_freeDCtx(context);
  if (state == 0 && tar.left == 0 && tar.header_length == 0) return 0;
  errno = EBADMSG;
  return -1;
}

/* ---- the cache -------------------------------------------------------------------------- */

static int lock_folder(const char *path, int operation) {
  int folder = open(path, O_RDONLY | O_DIRECTORY); /* no O_CLOEXEC: the lock lives as Deno does */
  if (folder < 0) return -1;
  if (flock(folder, operation) == 0) return folder;
  close(folder);
  return -1;
}

/* Locks a folder that has been unpacked; -1 when there is none. */
static int lock_unpacked(const char *folder) {
  if (access(folder, F_OK) || !is_trusted(folder)) return -1;
  int lock = lock_folder(folder, LOCK_SH);
  if (lock < 0) return -1;
  if (access(folder, F_OK) == 0) { /* it may have been removed before we got the lock */
    futimens(lock, NULL);          /* used just now */
    return lock;
  }
  close(lock);
  return -1;
}

/* Removes other versions and the remains of interrupted starts, unless young or in use. */
static void remove_unused(const char *cache, const char *keep) {
  DIR *entries = opendir(cache);
  if (!entries) return;
  for (struct dirent *entry; (entry = readdir(entries));) {
    const char *name = entry->d_name;
    int is_temporary = strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0;
    int is_version = strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
    if (!is_temporary && (!is_version || strncmp(name, keep, 32) == 0)) continue;
    char *path = format("%s/%s", cache, name);
    struct stat status;
    if (lstat(path, &status) == 0 && time(NULL) - status.st_mtime > UNUSED_MAX_S) {
      int lock = lock_folder(path, LOCK_EX | LOCK_NB);
      if (lock >= 0) {
        remove_tree(path);
        close(lock);
      }
    }
    free(path);
  }
  closedir(entries);
}

/* Unpacks into a temporary folder and renames it. */
static int install(int self, const struct trailer *trailer, const char *cache, const char *folder) {
  char *temporary = format("%s/" TEMPORARY_PREFIX "XXXXXX", cache);
  if (!mkdtemp(temporary)) {
    complain("write to", cache);
    return -1;
  }
  int lock = lock_folder(temporary, LOCK_SH);
  int result = lock < 0 || unpack(self, trailer, temporary) || chmod(temporary, 0755) ||
                       syncfs(lock)
                   ? -1
                   : 0;
  int is_damaged = result && errno == EBADMSG;
  if (result) complain("unpack into", cache);
  /* A rename fails when another start has been faster: then its folder serves us too. */
  else if (rename(temporary, folder) && access(folder, F_OK)) {
    complain("rename", temporary);
    result = -1;
  }
  if (access(temporary, F_OK) == 0) remove_tree(temporary);
  if (lock >= 0) close(lock);
  free(temporary);
  if (is_damaged) { /* no other cache will help */
    fprintf(stderr, PROGRAM ": this file is damaged: fetch or build it again\n");
    exit(EXIT_CANNOT_RUN);
  }
  return result;
}

/* The folder with our payload, locked until the process ends; NULL when this cache cannot be used. */
static char *prepare(int self, const struct trailer *trailer, const char *cache) {
  char *folder = format("%s/%.32s", cache, trailer->id);
  if (lock_unpacked(folder) >= 0) return folder;
  if (make_folders(cache) || !is_trusted(cache)) {
    complain("use (or trust, if others may write there)", cache);
  } else if (install(self, trailer, cache, folder) == 0) {
    remove_unused(cache, trailer->id);
    if (lock_unpacked(folder) >= 0) return folder;
    complain("use", folder);
  }
  return NULL;
}

/* Where a payload may lie, best first. */
static int list_caches(char **caches) {
  int count = 0;
  const char *value = getenv("LOGVEND_CACHE");
  if (value && value[0] == '/') {
    caches[count++] = format("%s", value);
    return count; /* who names a folder means that one */
  }
  value = getenv("CACHE_DIRECTORY"); /* systemd's CacheDirectory=, one path or several with ':' */
  if (value && value[0] == '/' && !strchr(value, ':')) caches[count++] = format("%s", value);
  value = getenv("XDG_CACHE_HOME");
  if (value && value[0] == '/') caches[count++] = format("%s/logvend", value);
  value = getenv("HOME");
  if (value && value[0] == '/') caches[count++] = format("%s/.cache/logvend", value);
  if (geteuid() == 0) caches[count++] = format("/var/cache/logvend");
  caches[count++] = format("/var/tmp/logvend-%u", geteuid());
  caches[count++] = format("/tmp/logvend-%u", geteuid());
  return count;
}

/* ---- becoming Deno ---------------------------------------------------------------------- */

/* Replaces every {root}. */
static char *expand(const char *text, const char *root) {
  char *result = format("%s", text);
  for (char *at; (at = strstr(result, "{root}"));) {
    char *longer = format("%.*s%s%s", (int)(at - result), result, root, at + strlen("{root}"));
    free(result);
    result = longer;
  }
  return result;
}

/* argv for Deno: the lines of <program>.args, then the user's own. NULL when there are none. */
static char **read_arguments(const char *root, int argc, char **argv) {
  char *path = format("%s/" PROGRAM ".args", root);
  FILE *file = fopen(path, "r");
  free(path);
  if (!file) return NULL;
  char **arguments = calloc(ARGUMENTS_MAX + (size_t)argc + 1, sizeof *arguments);
  if (!arguments) abort();
  int count = 0;
  arguments[count++] = argv[0];
  char *line = NULL;
  size_t capacity = 0;
  for (ssize_t length; count < ARGUMENTS_MAX && (length = getline(&line, &capacity, file)) > 0;) {
    if (line[length - 1] == '\n') line[length - 1] = 0;
    if (line[0]) arguments[count++] = expand(line, root);
  }
  free(line);
  fclose(file);
  for (int i = 1; i < argc; i++) arguments[count++] = argv[i];
  return arguments;
}

/* Returns only when it fails. */
static void become_deno(const char *cache, const char *root, int argc, char **argv) {
  char **arguments = read_arguments(root, argc, argv);
  if (!arguments) {
    complain("read the arguments in", root);
    return;
  }
  char self[PATH_MAX] = {0};
  if (readlink("/proc/self/exe", self, sizeof self - 1) > 0) setenv("LOGVEND_SELF", self, 1);
  setenv("DENO_NO_UPDATE_CHECK", "1", 1);
  setenv("DENO_DIR", format("%s/deno-dir", cache), 0);
  // glibc keeps what each thread freed in a heap of its own: 20 MB of an agent's memory.
  setenv("MALLOC_ARENA_MAX", "1", 0);
  char *deno = format("%s/deno", root);
  execv(deno, arguments);
  complain("run", deno);
}

int main(int argc, char **argv) {
  struct trailer trailer;
  struct stat status;
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (self < 0 || fstat(self, &status)) {
    perror(PROGRAM ": /proc/self/exe");
    return EXIT_CANNOT_RUN;
  }
  ssize_t got = pread(self, &trailer, sizeof trailer, status.st_size - (off_t)sizeof trailer);
  if (got != sizeof trailer || memcmp(trailer.magic, MAGIC, sizeof MAGIC)) {
    fprintf(stderr, PROGRAM ": this file is incomplete: fetch or build it again\n");
    return EXIT_CANNOT_RUN;
  }
  char *caches[8];
  int count = list_caches(caches);
  for (int i = 0; i < count; i++) {
    char *root = prepare(self, &trailer, caches[i]);
    if (root) become_deno(caches[i], root, argc, argv);
  }
  fprintf(stderr,
          "%s" PROGRAM ": no folder to unpack into: set LOGVEND_CACHE to one that is writable and "
          "not mounted noexec\n",
          complaints);
  return EXIT_CANNOT_RUN;
}

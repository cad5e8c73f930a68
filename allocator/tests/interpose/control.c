/* Proves that glibc's control and report functions are served, with figures that follow the heap,
 * and that every name of the drop-in surface, aliases included, is served by the same library. Does
 * not judge the figures' precision: the C library's own are approximate, too. */
#include <malloc.h>
#include <stdint.h>
#include <unistd.h>

#include "check.h"

static const char* const kNames[] = {"malloc",
                                     "free",
                                     "calloc",
                                     "realloc",
                                     "reallocarray",
                                     "memalign",
                                     "posix_memalign",
                                     "aligned_alloc",
                                     "valloc",
                                     "pvalloc",
                                     "malloc_usable_size",
                                     "cfree",
                                     "free_sized",
                                     "free_aligned_sized",
                                     "mallinfo",
                                     "mallinfo2",
                                     "mallopt",
                                     "malloc_trim",
                                     "malloc_stats",
                                     "malloc_info",
                                     "__posix_memalign",
                                     "_Znwm",
                                     "_ZnwmRKSt9nothrow_t",
                                     "_ZnwmSt11align_val_t",
                                     "_ZnwmSt11align_val_tRKSt9nothrow_t",
                                     "_Znam",
                                     "_ZnamRKSt9nothrow_t",
                                     "_ZnamSt11align_val_t",
                                     "_ZnamSt11align_val_tRKSt9nothrow_t",
                                     "_ZdlPv",
                                     "_ZdlPvm",
                                     "_ZdlPvRKSt9nothrow_t",
                                     "_ZdlPvSt11align_val_t",
                                     "_ZdlPvSt11align_val_tRKSt9nothrow_t",
                                     "_ZdlPvmSt11align_val_t",
                                     "_ZdaPv",
                                     "_ZdaPvm",
                                     "_ZdaPvRKSt9nothrow_t",
                                     "_ZdaPvSt11align_val_t",
                                     "_ZdaPvSt11align_val_tRKSt9nothrow_t",
                                     "_ZdaPvmSt11align_val_t"};

static const char* const kAliases[] = {
    "__libc_malloc",   "__libc_free",   "__libc_calloc",  "__libc_realloc",  "__libc_reallocarray",
    "__libc_memalign", "__libc_valloc", "__libc_pvalloc", "__libc_mallinfo", "__libc_mallopt"};

static void check_served(const char* const* names, size_t count) {
  const char* expected = getenv("INTERPOSE_EXPECT");
  for (size_t i = 0; i < count; i++) {
    Dl_info info;
    void* address = dlsym(RTLD_DEFAULT, names[i]);
    if (address == NULL || dladdr(address, &info) == 0 ||
        strstr(info.dli_fname, expected) == NULL) {
      fprintf(stderr, "%s is not served by %s\n", names[i], expected);
      exit(1);
    }
  }
}

static void every_entry_point_is_served(void) {
  check_served(kNames, sizeof kNames / sizeof *kNames);
}

static void every_c_library_alias_is_served(void) {
  check_served(kAliases, sizeof kAliases / sizeof *kAliases);
  void* (*alias_malloc)(size_t) = (void* (*)(size_t))dlsym(RTLD_DEFAULT, "__libc_malloc");
  void (*alias_cfree)(void*) = (void (*)(void*))dlsym(RTLD_DEFAULT, "cfree");
  free(alias_malloc(100));
  alias_cfree(malloc(100));
}

static void mallopt_accepts_every_option(void) {
  const int options[] = {M_MXFAST,         M_NLBLKS,  M_GRAIN,          M_KEEP,
                         M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX,
                         M_CHECK_ACTION,   M_PERTURB, M_ARENA_TEST,     M_ARENA_MAX};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    CHECK(mallopt(options[i], 1) != 0);
  }
  CHECK(mallopt(-1000, 1) == 0);
}

static void mallinfo_follows_the_heap(void) {
  free(malloc(100)); /* the heap exists before the first figure */
  const size_t before = mallinfo2().uordblks;
  enum { kCount = 300, kBytes = 100000 };
  static void* blocks[kCount];
  for (int i = 0; i < kCount; i++) {
    blocks[i] = malloc(kBytes);
    CHECK(blocks[i] != NULL);
  }
  const struct mallinfo2 full = mallinfo2();
  CHECK(full.uordblks >= before + (size_t)kCount * kBytes);
  CHECK(full.uordblks <= before + (size_t)kCount * kBytes * 5 / 4 + (1 << 20));
  CHECK(full.arena + full.hblkhd >= full.uordblks);
  CHECK((size_t)mallinfo().uordblks == full.uordblks);
  for (int i = 0; i < kCount; i++) {
    free(blocks[i]);
  }
  CHECK(mallinfo2().uordblks <= before + (1 << 20));
}

static void trim_says_whether_memory_went(void) {
  static void* blocks[4000];
  for (int i = 0; i < 4000; i++) {
    blocks[i] = malloc(4000);
    CHECK(blocks[i] != NULL);
    memset(blocks[i], 1, 4000);
  }
  for (int i = 0; i < 4000; i++) {
    free(blocks[i]);
  }
  const int first = malloc_trim(0);
  CHECK(first == 0 || first == 1);
  CHECK(malloc_trim(0) == 0 || first == 1);
}

static size_t count_of(const char* text, const char* part) {
  size_t count = 0;
  for (const char* at = text; (at = strstr(at, part)) != NULL; at++) {
    count++;
  }
  return count;
}

static void malloc_info_writes_xml(void) {
  CHECK(malloc_info(1, stdout) == EINVAL);
  char* text = NULL;
  size_t size = 0;
  FILE* stream = open_memstream(&text, &size);
  CHECK(stream != NULL && malloc_info(0, stream) == 0);
  CHECK(fclose(stream) == 0 && size > 50);
  CHECK(strncmp(text, "<malloc version=\"1\">", 20) == 0 && strstr(text, "</malloc>") != NULL);
  CHECK(count_of(text, "<heap") == count_of(text, "</heap>") && count_of(text, "<heap") >= 1);
  CHECK(strstr(text, "<system type=\"current\" size=\"") != NULL);
  CHECK(count_of(text, "<") == count_of(text, ">"));
  free(text);
}

static void malloc_stats_goes_to_stderr(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const int saved = dup(STDERR_FILENO);
  CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
  malloc_stats();
  dup2(saved, STDERR_FILENO);
  close(ends[1]);
  char text[20000];
  const ssize_t size = read(ends[0], text, sizeof text - 1);
  CHECK(size > 0);
  text[size] = '\0';
  CHECK(strstr(text, "system bytes") != NULL && strstr(text, "in use bytes") != NULL);
}

/* The C library allocates by the interposed malloc, so what it hands out counts in our heap and is
 * ours to free. */
static void c_library_functions_allocate_here(void) {
  const size_t before = mallinfo2().uordblks;
  enum { kBytes = 3000000 };
  char* text = malloc(kBytes + 1);
  CHECK(text != NULL);
  memset(text, 'x', kBytes);
  text[kBytes] = '\0';
  char* copy = strdup(text);
  char* printed = NULL;
  CHECK(copy != NULL && asprintf(&printed, "%s", text) == kBytes);
  CHECK(mallinfo2().uordblks >= before + 3 * (size_t)kBytes);
  char* line = NULL;
  size_t capacity = 0;
  FILE* stream = fmemopen(text, kBytes, "r");
  CHECK(stream != NULL && getline(&line, &capacity, stream) == kBytes);
  CHECK(malloc_usable_size(line) >= kBytes);
  CHECK(fclose(stream) == 0);
  free(line);
  free(printed);
  free(copy);
  free(text);
  CHECK(mallinfo2().uordblks <= before + (1 << 20));
}

#define CASE(name) \
  { #name, name }
static const struct check_case kCases[] = {
    CASE(every_entry_point_is_served),   CASE(every_c_library_alias_is_served),
    CASE(mallopt_accepts_every_option),  CASE(mallinfo_follows_the_heap),
    CASE(trim_says_whether_memory_went), CASE(malloc_info_writes_xml),
    CASE(malloc_stats_goes_to_stderr),   CASE(c_library_functions_allocate_here),
};

int main(int argc, char** argv) {
  return check_main(argc, argv, kCases, sizeof kCases / sizeof *kCases);
}

/* Programs under limits of the process: nearly all of a limited address space can be had, in blocks of any size; what was freed
 * serves other sizes; a limit that the program sets for itself leaves small blocks; the number of mappings stays bounded. A case that
 * needs a limit from the start runs itself again under it. Does not prove anything about limits below 32 MiB (limits_test.py). */
#include <malloc.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"

static char** g_arguments;

static void under_limit(int resource, size_t bytes) {
  if (getenv("INTERPOSE_LIMITED") != NULL) return;
  const struct rlimit limit = {bytes, bytes};
  CHECK(setrlimit(resource, &limit) == 0);
  CHECK(setenv("INTERPOSE_LIMITED", "1", 1) == 0);
  execv("/proc/self/exe", g_arguments);
  CHECK(!"execv");
}

/* How many bytes can be had in blocks of that size. They stay. */
static size_t take_all(size_t block_bytes) {
  size_t got = 0;
  for (void* block; (block = malloc(block_bytes)) != NULL; got += block_bytes) memset(block, 1, 1);
  return got;
}

enum { kMiB = 1 << 20 };

/* The C library's own malloc gets 247 to 252 MiB. */
static void take_most_of_256_mib(size_t block_bytes) {
  under_limit(RLIMIT_AS, (size_t)256 * kMiB);
  const size_t got = take_all(block_bytes);
  fprintf(stderr, "%zu MiB\n", got / kMiB);
  CHECK(got >= (size_t)226 * kMiB);
}
static void most_of_the_address_space_in_small_blocks(void) { take_most_of_256_mib(1000); }
static void most_of_the_address_space_in_blocks_of_400_kb(void) { take_most_of_256_mib(400000); }
static void most_of_the_address_space_in_blocks_of_5_mb(void) { take_most_of_256_mib(5000000); }

static void fill_free_and_take_large(int resource) {
  under_limit(resource, (size_t)128 * kMiB);
  void** list = NULL;
  for (void** block; (block = malloc(1000)) != NULL; list = block) *block = list;
  while (list != NULL) {
    void** next = *list;
    free(list);
    list = next;
  }
  malloc_trim(0);
  for (int i = 0; i < 10; i++) CHECK(malloc(400000) != NULL);
}
static void small_blocks_freed_serve_large_ones_under_a_data_limit(void) { fill_free_and_take_large(RLIMIT_DATA); }
static void small_blocks_freed_serve_large_ones_under_an_address_limit(void) { fill_free_and_take_large(RLIMIT_AS); }

/* The C library's own malloc gets 189 to 190 of 192 MiB; what the process has mapped counts, too. */
static void take_most_under_a_later_limit(size_t block_bytes) {
  void* before = malloc(1000);
  const struct rlimit limit = {(size_t)192 * kMiB, (size_t)192 * kMiB};
  CHECK(before != NULL && setrlimit(RLIMIT_AS, &limit) == 0);
  void* first = malloc(5000000);
  CHECK(first != NULL);
  const size_t got = take_all(block_bytes);
  fprintf(stderr, "%zu MiB\n", got / kMiB);
  CHECK(got >= (size_t)168 * kMiB && got <= (size_t)192 * kMiB);
}
static void a_later_limit_is_obeyed_by_small_blocks(void) { take_most_under_a_later_limit(1000); }
static void a_later_limit_leaves_blocks_of_400_kb(void) { take_most_under_a_later_limit(400000); }
static void a_later_limit_leaves_blocks_of_5_mb(void) { take_most_under_a_later_limit(5000000); }

static void a_limit_set_before_the_first_block(void) {
  const struct rlimit limit = {1u << 30, 1u << 30};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  void* large = malloc(40000);
  void* small = malloc(100);
  CHECK(large != NULL && small != NULL);
}

static size_t count_maps(void) {
  FILE* file = fopen("/proc/self/maps", "r");
  CHECK(file != NULL);
  size_t lines = 0;
  for (int c; (c = getc(file)) != EOF;) lines += c == '\n';
  fclose(file);
  return lines;
}

static void mappings_are_bounded(void) {
  enum { kBlocks = 40000 };
  static void* blocks[kBlocks];
  for (size_t i = 0; i < kBlocks; i++) CHECK((blocks[i] = malloc(140000)) != NULL);
  for (size_t i = 0; i < kBlocks; i += 2) free(blocks[i]);
  CHECK(count_maps() < 10000);
}

#define CASE(name) {#name, name}
static const struct check_case kCases[] = {
    CASE(a_later_limit_is_obeyed_by_small_blocks),
    CASE(a_later_limit_leaves_blocks_of_400_kb),
    CASE(a_later_limit_leaves_blocks_of_5_mb),
    CASE(most_of_the_address_space_in_small_blocks),
    CASE(most_of_the_address_space_in_blocks_of_400_kb),
    CASE(most_of_the_address_space_in_blocks_of_5_mb),
    CASE(small_blocks_freed_serve_large_ones_under_a_data_limit),
    CASE(small_blocks_freed_serve_large_ones_under_an_address_limit),
    CASE(a_limit_set_before_the_first_block),
    CASE(mappings_are_bounded),
};

int main(int argc, char** argv) {
  g_arguments = argv;
  return check_main(argc, argv, kCases, sizeof kCases / sizeof *kCases);
}

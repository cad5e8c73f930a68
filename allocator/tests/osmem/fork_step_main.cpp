// osmem-fork-step CASE: proves that a fork may come before any instruction of another thread that is
// at work in osmem. The thread is stopped at each instruction in turn (fork_step.hpp), the process
// forks, and the child checks its blocks, frees them, allocates blocks of every kind, starts a
// thread, trims, and lets the heap check its books. Does not prove anything of instructions inside
// the C library and the kernel, nor of two threads at work at the time of the fork. In short form the process forks before
// a few dozen of the instructions, others each day.
#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <thread>

#include "allocator/osmem/api/osmem.h"
#include "allocator/osmem/slabs/region.hpp"
#include "allocator/osmem/threads/thread_heap.hpp"
#include "allocator/tests/level.hpp"
#include "allocator/tests/osmem/fork_step.hpp"

namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kSizes[] = {1, 16, 100, 500, 2000, 9000, 30000, 40000, 100000, 3 * kMiB};

struct Kept {
  unsigned char* data;
  size_t size;
  size_t usable;
};

// Blocks of the main thread, live at every fork. The first ones are small; then mappings, as many as
// bring their table to the point of growing.
constexpr size_t kSmallKept = 40;
constexpr size_t kMappingsKept = 126;
Kept kept[kSmallKept + kMappingsKept];
size_t kept_count = kSmallKept + 2;  // all of them only where mappings are what is at work

// Blocks that the stepped thread frees; the child leaves them alone.
void* to_free[300];

void die(const char* what, size_t size) {
  dprintf(STDERR_FILENO, "in the child: %s (size %zu)\n", what, size);
  _exit(1);
}

unsigned char mark_of(size_t index) { return static_cast<unsigned char>(index * 37 + 11); }

void keep(size_t index, size_t size) {
  auto* const data = static_cast<unsigned char*>(os_malloc(size));
  if (data == nullptr) {
    die("no memory for the blocks to keep", size);
  }
  kept[index] = {data, size, os_usable_size(data)};
  data[0] = data[size - 1] = mark_of(index);
}

void check_kept() {
  for (size_t i = 0; i < kept_count; i++) {
    const Kept& block = kept[i];
    if (block.data[0] != mark_of(i) || block.data[block.size - 1] != mark_of(i)) {
      die("a block of the parent has changed", block.size);
    }
    if (os_usable_size(block.data) != block.usable) {
      die("a block of the parent has another usable size", block.size);
    }
  }
}

// Blocks of every kind, each marked at both ends, some of them zeroed or resized; then all are freed.
void use_heap() {
  constexpr size_t kTurns = 4;
  unsigned char* blocks[std::size(kSizes) * kTurns];
  size_t count = 0;
  for (size_t turn = 0; turn < kTurns; turn++) {
    for (const size_t size : kSizes) {
      auto* block = static_cast<unsigned char*>(turn == 1 ? os_calloc(1, size) : os_malloc(size));
      if (block == nullptr || (turn == 1 && (block[0] != 0 || block[size - 1] != 0))) {
        die("no block, or one that is not zero", size);
      }
      block[0] = block[size - 1] = mark_of(count);
      if (turn == 2) {
        block = static_cast<unsigned char*>(os_realloc(block, size * 2));
        if (block == nullptr || block[size - 1] != mark_of(count)) {
          die("realloc lost the contents", size);
        }
      }
      blocks[count++] = block;
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (blocks[i][0] != mark_of(i)) {
      die("a block has changed", kSizes[i % std::size(kSizes)]);
    }
    os_free(blocks[i]);
  }
}

// How much the child's heap has to grow by.
size_t growth_bytes = kMiB;

// Small blocks are not had from anywhere but the heap.
void grow_heap() {
  constexpr size_t kBlockBytes = 32 << 10;
  static void* blocks[8 * kMiB / kBlockBytes];
  const size_t count = growth_bytes / kBlockBytes;
  for (size_t i = 0; i < count; i++) {
    blocks[i] = os_malloc(kBlockBytes);
    if (blocks[i] == nullptr) {
      die("the heap cannot grow", kBlockBytes);
    }
    memset(blocks[i], 1, 64);
  }
  for (size_t i = 0; i < count; i++) {
    os_free(blocks[i]);
  }
}

void check_books() {
  osmem::g_page_heap.check_invariants();
  if (osmem::t_cache.heap != nullptr) {
    osmem::t_cache.heap->check_invariants();
  }
}

[[noreturn]] void live_on() {
  alarm(test_level::kHangSeconds);
  check_kept();
  use_heap();
  check_kept();
  std::thread(use_heap).join();
  grow_heap();
  check_kept();
  for (size_t i = 0; i < kept_count; i++) {
    os_free(kept[i].data);
  }
  os_trim(0);
  use_heap();
  check_books();
  _exit(0);
}

unsigned failures = 0;
uint64_t seed = 0;  // of the sample
test_level::Budget* forks = nullptr;
bool has_time = true;
uint64_t sample_share = 1;  // one instruction in so many

// In short form a sample by the instruction's place, in long form each.
bool is_wanted(uintptr_t instruction) {
  return test_level::is_long() || test_level::mixed(seed, instruction) % sample_share == 0;
}

void fork_here(uintptr_t place) {
  // The program lies elsewhere in each run.
  const uintptr_t instruction = place - reinterpret_cast<uintptr_t>(&os_malloc);
  has_time = has_time && (!is_wanted(instruction) || forks->goes_on());
  if (!has_time || !is_wanted(instruction)) {
    return;
  }
  const pid_t child = fork();
  if (child == 0) {
    live_on();
  }
  int status = 0;
  while (waitpid(child, &status, 0) != child && errno == EINTR) {
  }
  if (child < 0 || status != 0) {
    failures++;
    dprintf(STDERR_FILENO, "fork before the instruction at offset %#zx: the child ended with status %#x\n",
            instruction, static_cast<unsigned>(status));
  }
}

// What the stepped thread does.

void allocate_small() {
  for (const size_t size : {24, 700, 3000, 20000}) {
    void* const first = os_malloc(size);
    void* const second = os_malloc(size);
    os_free(first);
    os_free(second);
  }
}

void use_runs() {
  void* block = os_malloc(40000);
  void* const other = os_malloc(60000);
  block = os_realloc(block, 50000);
  os_free(other);
  block = os_realloc(block, 100000);
  os_free(block);
}

void use_mappings() {
  void* blocks[4];
  for (void*& block : blocks) {
    block = os_malloc(3 * kMiB);
  }
  blocks[0] = os_realloc(blocks[0], 5 * kMiB);
  blocks[0] = os_realloc(blocks[0], 4 * kMiB);
  for (void* const block : blocks) {
    os_free(block);
  }
  for (void*& block : blocks) {
    block = os_malloc(3 * kMiB + 4096);
  }
  for (void* const block : blocks) {
    os_free(block);
  }
}

void free_blocks_of_another_thread() {
  for (void* const block : to_free) {
    os_free(block);
  }
}

// A destructor in the last round, behind osmem's own: such a thread is served from the shared heap.
pthread_key_t late_key;

void work_late(void* round) {
  const auto number = reinterpret_cast<uintptr_t>(round);
  if (number < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(late_key, reinterpret_cast<void*>(number + 1));
    return;
  }
  allocate_small();
  free_blocks_of_another_thread();
}

void work_after_the_end() { pthread_setspecific(late_key, reinterpret_cast<void*>(1)); }

void trim() { os_trim(0); }

// Pages inside used slabs go back, and are wanted again.
void trim_sparse_slabs() {
  constexpr size_t kBytes = 1024;
  constexpr size_t kCount = 160;
  static void* blocks[kCount];
  for (void*& block : blocks) {
    block = os_malloc(kBytes);
  }
  for (size_t i = 0; i < kCount; i++) {
    if (i % 16 != 0) {
      os_free(blocks[i]);
    }
  }
  os_trim(0);
  for (size_t i = 0; i < kCount; i++) {
    if (i % 16 == 0) {
      os_free(blocks[i]);
    } else if (i % 2 == 0) {
      blocks[i] = os_malloc(kBytes);
    }
  }
  for (size_t i = 0; i < kCount; i++) {
    if (i % 16 != 0 && i % 2 == 0) {
      os_free(blocks[i]);
    }
  }
}

// Until more address space has been reserved for the heap, and a bit further.
void grow_until_reserved() {
  const size_t reserved = osmem::g_region.reserved_bytes();
  for (int i = 0; i < 60 && osmem::g_region.reserved_bytes() < reserved + 8 * kMiB; i++) {
    os_malloc(30000);
  }
}

// Who allocated what the stepped thread frees, and the small blocks that are kept.
enum class Maker { kMainThread, kEndedThread };

constexpr rlim_t kNoLimit = 0;
// A region as small as this is reserved piece by piece.
constexpr rlim_t kSmallAddressSpaceBytes = 96 * kMiB;

struct Case {
  const char* name;
  void (*body)();
  Maker maker = Maker::kMainThread;
  rlim_t address_space_bytes = kNoLimit;  // while the program is loaded
  uint64_t sample_share = 64;             // in short form; about 3,000 instructions are different
};

constexpr Case kCases[] = {
    {"small", allocate_small},
    {"runs", use_runs},
    {"mappings", use_mappings},
    {.name = "remote", .body = free_blocks_of_another_thread, .sample_share = 16},  // 500 to 1,900, by the clock
    {"pooled", free_blocks_of_another_thread, Maker::kEndedThread},
    {"exited", work_after_the_end, Maker::kEndedThread},
    {.name = "trim", .body = trim, .sample_share = 8},  // 1,400
    {"sparse", trim_sparse_slabs},
    {"reserve", grow_until_reserved, Maker::kMainThread, kSmallAddressSpaceBytes},
};

void start_again_with_limit(rlim_t bytes, char** argv) {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  if (bytes == kNoLimit || limit.rlim_cur == bytes) {
    return;
  }
  limit.rlim_cur = bytes;
  if (setrlimit(RLIMIT_AS, &limit) == 0) {
    execv("/proc/self/exe", argv);
  }
  abort();
}

// Leaves less than the heap's next step.
void fill_region() {
  while (osmem::g_region.ahead_bytes > kMiB) {
    if (os_malloc(30000) == nullptr) {
      abort();
    }
  }
}

// The heap has been started under the limit, and its region stays small.
void lift_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_AS, &limit) != 0) {
    abort();
  }
}

void make_small_blocks() {
  for (size_t i = 0; i < std::size(to_free); i++) {
    to_free[i] = os_malloc(i % 2 == 0 ? 48 : 1500);
    if (i < kSmallKept) {
      keep(i, i < kSmallKept / 2 ? kSizes[i % 9] : i % 2 == 0 ? 48 : 1500);
    }
  }
}

int run_case(const Case& chosen) {
  const bool fills = chosen.body == grow_until_reserved;
  lift_limit();
  if (pthread_key_create(&late_key, work_late) != 0) {
    abort();
  }
  std::thread(use_heap).join();  // a heap for the pool, and dirty pages
  if (chosen.maker == Maker::kMainThread) {
    make_small_blocks();
  } else {
    std::thread(make_small_blocks).join();
  }
  if (chosen.body == use_mappings) {
    kept_count = std::size(kept);
  }
  for (size_t i = kSmallKept; i < kept_count; i++) {
    keep(i, fills ? 70000 : 3 * kMiB);
  }
  if (fills) {
    growth_bytes = 8 * kMiB;
    fill_region();
  }
  constexpr unsigned kVisits = 1;
  constexpr uint64_t kAll = UINT64_MAX;
  seed = test_level::is_long() ? 0 : test_level::seed_of_the_day();
  test_level::Budget budget("forks", {100, 5, 60}, {kAll, 100, 3000});
  forks = &budget;
  sample_share = chosen.sample_share;
  const fork_step::Steps steps = fork_step::run(chosen.body, fork_here, kVisits);
  printf("%s: %llu instructions, %llu of them different, forked at %llu, %u failures\n", chosen.name,
         static_cast<unsigned long long>(steps.instructions), static_cast<unsigned long long>(steps.stops),
         static_cast<unsigned long long>(budget.begun()), failures);
  return failures == 0 && steps.stops > 100 && budget.begun() >= 5 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  for (const Case& known : kCases) {
    if (argc == 2 && strcmp(argv[1], known.name) == 0) {
      start_again_with_limit(known.address_space_bytes, argv);
      return run_case(known);
    }
  }
  fprintf(stderr, "usage: osmem-fork-step CASE\n");
  return 2;
}

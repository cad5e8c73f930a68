// The program that fault_test.cpp starts under a plan of faults or under a limit; see there for
// what it proves. What to run is its argument: the load under faults, a load that runs into a
// limit, or small blocks that must be had.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "allocator/osmem/api/osmem.h"
#include "allocator/tests/level.hpp"
#include "allocator/tests/osmem/faults.hpp"
#include "allocator/tests/osmem/shadow.hpp"

namespace {

constexpr int kNotOnThisSystem = 77;

shadow::Options tolerant_options(size_t live_limit_bytes) {
  shadow::Options options;
  options.seed = 5;
  options.slot_count = 256;
  options.live_limit_bytes = live_limit_bytes;
  options.out_of_memory = shadow::OutOfMemory::kIsExpected;
  return options;
}

size_t allocated_bytes() {
  struct os_stats stats {};
  return os_stats(&stats) ? stats.allocated_bytes : 0;
}

// One block grows and shrinks through the sizes of large blocks; a refusal keeps it as it is.
void resize_large_block() {
  constexpr size_t kMiB = size_t{1} << 20;
  auto* block = static_cast<unsigned char*>(os_malloc(kMiB));
  if (block == nullptr) {
    return;
  }
  block[0] = 0x5a;
  for (const size_t size : {3 * kMiB, 8 * kMiB, 20 * kMiB, 2 * kMiB, 30 * kMiB, kMiB / 2}) {
    auto* const resized = static_cast<unsigned char*>(os_realloc(block, size));
    if (resized == nullptr && errno != ENOMEM) {
      abort();
    }
    block = resized != nullptr ? resized : block;
    if (block[0] != 0x5a) {
      abort();
    }
  }
  os_free(block);
}

// The scripted load under faults, with a second thread for a while, then again without faults.
int run_through_faults() {
  shadow::Exchange exchange;
  shadow::Driver driver(tolerant_options(size_t{48} << 20), exchange);
  driver.run(1500);
  resize_large_block();
  std::thread([&driver] { driver.run(300); }).join();
  os_trim(0);
  faults::clear();
  driver.free_all();
  shadow::Options strict = tolerant_options(size_t{48} << 20);
  strict.out_of_memory = shadow::OutOfMemory::kIsFailure;
  shadow::Driver after(strict, exchange);
  after.run(500);
  after.free_all();
  if (allocated_bytes() != 0) {
    fprintf(stderr, "%zu bytes never came back\n", allocated_bytes());
    return 1;
  }
  return 0;
}

// Requests until the limit, then frees, and requests again.
int run_into_limit() {
  shadow::Exchange exchange;
  for (int turn = 0; turn < 2; turn++) {
    shadow::Driver driver(tolerant_options(size_t{1} << 40), exchange);
    driver.run(20000);
    driver.free_all();
  }
  os_trim(0);
  return allocated_bytes() == 0 ? 0 : 1;
}

// As run_into_limit(); and the limit is reached, or nothing was shown.
int run_beyond_limit() {
  shadow::Exchange exchange;
  shadow::Driver driver(tolerant_options(size_t{1} << 40), exchange);
  driver.run(20000);
  driver.free_all();
  if (driver.failed_requests() == 0) {
    fputs("no request was refused\n", stderr);
    return 1;
  }
  return run_into_limit();
}

// Small blocks worth `bytes` can all be had.
int have_small_blocks(size_t bytes) {
  constexpr size_t kBlockBytes = 1000;
  std::vector<void*> blocks;
  blocks.reserve(bytes / kBlockBytes);
  for (size_t sum = 0; sum < bytes; sum += kBlockBytes) {
    void* const block = os_malloc(kBlockBytes);
    if (block == nullptr) {
      fprintf(stderr, "only %zu of %zu bytes could be had\n", sum, bytes);
      return 1;
    }
    memset(block, 1, kBlockBytes);
    blocks.push_back(block);
  }
  for (void* const block : blocks) {
    os_free(block);
  }
  return 0;
}

// What a freed mapping holds in the cache is there for small blocks where the system gives no more.
int have_small_blocks_after_a_mapping() {
  constexpr size_t kMappingBytes = size_t{24} << 20;
  void* const mapping = os_malloc(kMappingBytes);
  if (mapping == nullptr) {
    fputs("no memory for the mapping\n", stderr);
    return 1;
  }
  os_free(mapping);
  return have_small_blocks(size_t{24} << 20);
}

size_t resident_bytes() {
  FILE* const file = fopen("/proc/self/statm", "r");
  unsigned long total = 0;
  unsigned long resident = 0;
  const bool read = file != nullptr && fscanf(file, "%lu %lu", &total, &resident) == 2;
  if (file != nullptr) {
    fclose(file);
  }
  return read ? resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) : SIZE_MAX;
}

size_t huge_page_kilobytes() {
  FILE* const file = fopen("/proc/self/smaps_rollup", "r");
  char line[256];
  size_t kilobytes = 0;
  while (file != nullptr && fgets(line, sizeof line, file) != nullptr) {
    sscanf(line, "AnonHugePages: %zu", &kilobytes);
  }
  if (file != nullptr) {
    fclose(file);
  }
  return kilobytes;
}

// Blocks of 32 MiB in all stay whole, and the memory comes back, with huge pages behind them or not.
int use_and_give_back(bool expects_huge_pages) {
  shadow::Exchange exchange;
  shadow::Options options = tolerant_options(size_t{32} << 20);
  options.out_of_memory = shadow::OutOfMemory::kIsFailure;
  shadow::Driver driver(options, exchange);
  driver.run(20000);
  driver.free_all();
  os_trim(0);
  const size_t before = resident_bytes();
  if (have_small_blocks(size_t{32} << 20) != 0) {
    return 1;
  }
  std::vector<void*> blocks;
  for (int i = 0; i < 8; i++) {
    blocks.push_back(os_malloc(size_t{4} << 20));
    memset(blocks.back(), 1, size_t{4} << 20);
  }
  const size_t huge = huge_page_kilobytes();
  for (void* const block : blocks) {
    os_free(block);
  }
  driver.run(20000);
  driver.free_all();
  os_trim(0);
  if ((huge != 0) != expects_huge_pages) {
    fprintf(stderr, "%zu kB of huge pages\n", huge);
    return kNotOnThisSystem;
  }
  const size_t after = resident_bytes();
  if (after > before + (size_t{4} << 20)) {
    fprintf(stderr, "%zu bytes are resident, %zu before\n", after, before);
    return 1;
  }
  return 0;
}

int run_without_huge_pages() {
  return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 ? use_and_give_back(false) : kNotOnThisSystem;
}

// 24 MiB are live at a time, of sizes that shift; many times as much is allocated in all.
int run_with_bounded_live_bytes() {
  shadow::Exchange exchange;
  shadow::Options options = tolerant_options(size_t{24} << 20);
  options.out_of_memory = shadow::OutOfMemory::kIsFailure;
  options.slot_count = 1024;
  shadow::Driver driver(options, exchange);
  driver.run(200000);
  driver.free_all();
  return 0;
}

int touch_256_mib() {
  for (int i = 0; i < 256; i++) {
    void* const block = os_malloc(size_t{1} << 20);
    if (block != nullptr) {
      memset(block, 1, size_t{1} << 20);
    }
  }
  return 0;
}

// The load makes calls of the planned kind at all: a plan that never comes to pass would prove
// nothing.
int count_calls() {
  shadow::Exchange exchange;
  shadow::Driver driver(tolerant_options(size_t{48} << 20), exchange);
  driver.run(1500);
  resize_large_block();
  os_trim(0);
  driver.free_all();
  return faults::calls_made() > 0 ? 0 : 1;
}

// Blocks that do not fit into the holes between others: dirty pages have to go back for them, which the system refuses while
// they are locked. Nobody may see that.
bool keeps_errno_where_pages_stay() {
  constexpr size_t kKiB = 1024;
  std::vector<void*> blocks;
  for (int i = 0; i < 256; i++) {
    blocks.push_back(os_malloc(40 * kKiB));
  }
  for (size_t i = 0; i < blocks.size(); i += 2) {
    os_free(blocks[i]);
  }
  bool kept = true;
  for (size_t i = 0; i < blocks.size(); i += 2) {
    errno = 0;
    blocks[i] = os_malloc(96 * kKiB);
    kept = kept && blocks[i] != nullptr && errno == 0;
  }
  for (void* block : blocks) {
    os_free(block);
  }
  return kept;
}

int run_locked(int flags) {
  if (mlockall(flags) != 0) {
    return errno == EPERM || errno == ENOMEM ? kNotOnThisSystem : 1;
  }
  const size_t before = resident_bytes();
  const int status = have_small_blocks(size_t{4} << 20);
  const bool bounded = resident_bytes() < before + (size_t{256} << 20);
  return status == 0 && bounded && keeps_errno_where_pages_stay() ? 0 : 1;
}

int run_locked_as_nobody() {
  if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
    return 1;
  }
  mlockall(MCL_FUTURE);  // refused where more is locked already: the limit holds all the same
  return run_into_limit();
}

// Mappings that do not merge, until the process may have no more.
void use_up_mappings() {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* address = nullptr;
  for (int i = 0; i < 1000000 && address != MAP_FAILED; i++) {
    address =
        mmap(nullptr, page, i % 2 == 0 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
}

int run_without_mappings() {
  use_up_mappings();
  return run_into_limit();
}

struct Load {
  const char* name;
  int (*run)();
};

constexpr Load kLoads[] = {
    {"faults", run_through_faults},
    {"count-calls", count_calls},
    {"into-limit", run_into_limit},
    {"small-blocks", [] { return have_small_blocks(size_t{24} << 20); }},
    {"small-blocks-after-mapping", have_small_blocks_after_a_mapping},
    {"beyond-limit", run_beyond_limit},
    {"locked", [] { return run_locked(MCL_CURRENT | MCL_FUTURE); }},
    {"locked-on-fault", [] { return run_locked(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); }},
    {"huge-pages", [] { return use_and_give_back(true); }},
    {"no-huge-pages", run_without_huge_pages},
    {"bounded-live-bytes", run_with_bounded_live_bytes},
    {"touch-256-mib", touch_256_mib},
    {"locked-as-nobody", run_locked_as_nobody},
    {"without-mappings", run_without_mappings},
};

}  // namespace

int main(int argc, char** argv) {
  alarm(test_level::kHangSeconds);
  for (const Load& load : kLoads) {
    if (argc == 2 && load.name == std::string(argv[1])) {
      return load.run();
    }
  }
  fprintf(stderr, "usage: osmem-fault-child LOAD\n");
  return 2;
}

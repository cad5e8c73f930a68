// Allocates known blocks and reports what it knows of them, for report_test.py to compare with what osmem says. One case a
// run, as osmem is whole only once a process: leaks, figures, again, dump, stats, nothing.
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <string_view>

#include "allocator/osmem/api/osmem.h"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

void print_block(const void* block) {
  std::printf("%zu 0x%" PRIxPTR "\n", os_usable_size(block), reinterpret_cast<std::uintptr_t>(block));
}

// Blocks of every kind; each second one is freed again, the others are printed.
void leak() {
  constexpr std::size_t kSizes[] = {1, 24, 100, 1000, 3000, 20000, 40000, 100000, 300000, 3 * kMiB};
  for (const std::size_t size : kSizes) {
    for (int i = 0; i < 6; ++i) {
      void* block = os_malloc(size);
      if (i % 2 == 0) {
        print_block(block);
      } else {
        os_free(block);
      }
    }
  }
  print_block(os_calloc(10, 10));
  print_block(os_aligned_alloc(4096, 5000));
  print_block(os_realloc(os_malloc(50), 5000));
}

void print_stats(const char* when) {
  struct os_stats s = {};
  os_stats(&s);
  std::printf("%s {\"allocated\": %zu, \"active\": %zu, \"dirty\": %zu, \"committed\": %zu, \"reserved\": %zu, \"mapped\": %zu, "
              "\"metadata\": %zu, \"remote_pending\": %zu, \"threads\": %zu}\n",
              when, s.allocated_bytes, s.active_bytes, s.dirty_bytes, s.committed_bytes, s.reserved_bytes, s.mapped_bytes,
              s.metadata_bytes, s.remote_pending_bytes, s.thread_count);
}

void figures() {
  static void* blocks[10000];
  os_free(os_malloc(1));
  print_stats("start");
  for (void*& block : blocks) block = os_malloc(112);
  print_stats("small");
  for (std::size_t i = 0; i < std::size(blocks); i += 2) os_free(blocks[i]);
  print_stats("half");
  for (std::size_t i = 1; i < std::size(blocks); i += 2) os_free(blocks[i]);
  print_stats("none");
  void* run = os_malloc(100000);
  print_stats("run");
  os_free(run);
  void* mapping = os_malloc(64 * kMiB);
  print_stats("mapping");
  os_free(mapping);
  os_trim(0);
  print_stats("trimmed");
}

// A block of a size that was freed as a mapping before: the heap serves it, unless the threshold is pinned.
void again() {
  constexpr std::size_t kBytes = kMiB + kMiB / 2;
  os_free(os_malloc(kBytes));
  os_trim(0);
  void* block = os_malloc(kBytes);
  print_stats("again");
  os_free(block);
}

// Leaves known blocks to the statistics at exit and to the dump.
void dump(int fd) {
  static void* blocks[5000];
  std::size_t live = 0;
  for (std::size_t i = 0; i < std::size(blocks); ++i) blocks[i] = os_malloc(16 + i % 97 * 8);
  for (std::size_t i = 0; i < std::size(blocks); ++i) {
    if (i / 500 % 2 == 0 && i % 3 != 0) {
      os_free(blocks[i]);
    } else {
      ++live;
    }
  }
  os_free(os_malloc(120000));
  void* run = os_malloc(100000);
  void* mapping = os_malloc(5 * kMiB);
  std::printf("%zu\n%zu\n%zu\n", live, os_usable_size(run), os_usable_size(mapping));
  if (fd >= 0 && !os_heap_dump(fd)) std::puts("the dump failed");
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view name = count == 2 ? arguments[1] : "";
  static char buffer[65536];
  std::setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  if (name == "leaks") {
    leak();
  } else if (name == "figures") {
    figures();
  } else if (name == "again") {
    again();
  } else if (name == "dump") {
    dump(STDERR_FILENO);
  } else if (name == "stats") {
    dump(-1);
  } else if (name != "nothing") {
    std::fputs("usage: osmem-report-child leaks|figures|again|dump|stats|nothing\n", stderr);
    return 2;
  }
  return 0;
}

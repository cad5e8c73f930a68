// osmem's single-thread tests as a program without GoogleTest, for a machine that is emulated: random calls against the shadow
// model of tests/osmem, then every promise of osmem.h once. Prints what it did; exits with 0, or 1 and the first failure.
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "allocator/osmem/api/osmem.h"
#include "allocator/tests/osmem/shadow.hpp"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(1);
}

std::size_t allocated_bytes() {
  struct os_stats stats = {};
  expect(os_stats(&stats), "os_stats");
  return stats.allocated_bytes;
}

void promises_of_the_header() {
  void* zero = os_malloc(0);
  expect(zero != nullptr, "size 0 gives a pointer");
  os_free(zero);
  os_free(nullptr);
  errno = 0;
  // Through a volatile, so that the compiler does not judge the size.
  volatile std::size_t too_much = SIZE_MAX - 100;
  expect(os_malloc(too_much) == nullptr && errno == ENOMEM, "what is too large fails with ENOMEM");
  expect(os_calloc(too_much / 2, 3) == nullptr, "overflow in calloc fails");
  expect(os_aligned_alloc(24, 100) == nullptr && errno == EINVAL, "an alignment that is no power of two fails");
  for (std::size_t alignment = 1; alignment <= 4 * kMiB; alignment *= 2) {
    void* block = os_aligned_alloc(alignment, 1000);
    expect(block != nullptr && reinterpret_cast<std::uintptr_t>(block) % alignment == 0, "alignment");
    os_free(block);
  }
  char* text = static_cast<char*>(os_memdup("osmem", 6));
  expect(text != nullptr && std::strcmp(text, "osmem") == 0, "memdup");
  os_free_sized(text, 6);
}

void large_blocks_grow() {
  std::size_t bytes = 100;
  auto* block = static_cast<unsigned char*>(os_calloc(1, bytes));
  while (bytes < 32 * kMiB) {
    const std::size_t more = bytes * 3 / 2;
    block = static_cast<unsigned char*>(os_realloc(block, more));
    expect(block != nullptr, "growing");
    std::memset(block + bytes, static_cast<int>(more % 251), more - bytes);
    bytes = more;
  }
  expect(block[0] == 0 && block[99] == 0 && block[100] == 150, "what was there stays");
  os_free(block);
}

void page_size_is_the_systems() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* mapping = os_malloc(5 * kMiB + 1);
  expect(os_usable_size(mapping) % page == 0, "mappings are whole pages of the system");
  os_free(mapping);
  os_trim(0);
  struct os_stats stats = {};
  expect(os_stats(&stats) && stats.mapped_bytes == 0, "trim gives mappings back");
}

void random_calls(std::uint64_t operations) {
  static shadow::Exchange exchange;
  shadow::Options options;
  options.overlap = shadow::OverlapCheck::kExact;
  options.live_limit_bytes = 16 * kMiB;
  shadow::Driver driver(options, exchange);
  driver.run(operations);
  driver.free_all();
}

}  // namespace

int main(int count, char** arguments) {
  const std::uint64_t operations = count == 2 ? std::strtoull(arguments[1], nullptr, 10) : 100000;
  os_free(os_malloc(1));
  const std::size_t before = allocated_bytes();
  promises_of_the_header();
  large_blocks_grow();
  page_size_is_the_systems();
  expect(allocated_bytes() == before, "nothing stays allocated");
  random_calls(operations);
  std::printf("%llu random calls, pages of %ld bytes: all as promised\n", static_cast<unsigned long long>(operations),
              sysconf(_SC_PAGESIZE));
  return 0;
}

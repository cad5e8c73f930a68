#include "allocator/tests/osmem/commit_budget.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace commit_budget {
namespace {

struct Range {
  uintptr_t begin;
  uintptr_t end;
};

// Nothing here may allocate. The ranges do not overlap.
constexpr size_t kMaxRanges = 16384;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Range ranges[kMaxRanges];
size_t range_count = 0;
size_t charged_bytes = 0;

class Locked {
 public:
  Locked() { pthread_mutex_lock(&mutex); }
  ~Locked() { pthread_mutex_unlock(&mutex); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

// 0: no budget. Read at each call: the first ones come before constructors.
size_t budget_bytes() {
  const char* const text = getenv("OSMEM_TEST_COMMIT_BUDGET");
  return text == nullptr ? 0 : strtoull(text, nullptr, 10);
}

size_t overlap(const Range& a, const Range& b) {
  const uintptr_t begin = std::max(a.begin, b.begin);
  const uintptr_t end = std::min(a.end, b.end);
  return begin < end ? end - begin : 0;
}

void add(const Range& range) {
  if (range_count == kMaxRanges) {
    fputs("commit_budget: too many ranges\n", stderr);
    abort();
  }
  ranges[range_count++] = range;
  charged_bytes += range.end - range.begin;
}

void remove(const Range& gone) {
  for (size_t i = 0; i < range_count;) {
    const Range old = ranges[i];
    if (overlap(old, gone) == 0) {
      i++;
      continue;
    }
    ranges[i] = ranges[--range_count];
    charged_bytes -= old.end - old.begin;
    if (old.begin < gone.begin) {
      add({old.begin, gone.begin});
    }
    if (gone.end < old.end) {
      add({gone.end, old.end});
    }
    i = 0;
  }
}

Range range_of(const void* address, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  return {begin, begin + bytes};
}

}  // namespace

bool charge(const void* address, size_t bytes) {
  const size_t budget = budget_bytes();
  if (budget == 0) {
    return true;
  }
  const Locked locked;
  const Range range = range_of(address, bytes);
  size_t counted = 0;
  for (size_t i = 0; i < range_count; i++) {
    counted += overlap(ranges[i], range);
  }
  if (charged_bytes + (bytes - counted) > budget) {
    return false;
  }
  remove(range);
  add(range);
  return true;
}

bool has_room(size_t bytes) {
  const size_t budget = budget_bytes();
  const Locked locked;
  return budget == 0 || (bytes <= budget && charged_bytes <= budget - bytes);
}

void release(const void* address, size_t bytes) {
  if (budget_bytes() != 0) {
    const Locked locked;
    remove(range_of(address, bytes));
  }
}

}  // namespace commit_budget

// What the lifecycle programs share: work for the heap, and children whose end is awaited.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "allocator/tests/level.hpp"
#include "check.h"

namespace lifecycle {

// Allocates, writes, resizes and frees blocks of all sizes; ends the process if one is not had or
// was changed.
inline void use_heap(unsigned seed, int blocks) {
  static constexpr size_t kSizes[] = {1, 16, 40, 100, 500, 1500, 5000, 20000, 70000, 300000};
  unsigned char* kept[16] = {};
  size_t sizes[16] = {};
  for (int i = 0; i < blocks; i++) {
    const unsigned slot = (seed + static_cast<unsigned>(i) * 7) % 16;
    if (kept[slot] != nullptr) {
      CHECK(kept[slot][0] == slot && kept[slot][sizes[slot] - 1] == slot);
      free(kept[slot]);
    }
    sizes[slot] = kSizes[(seed + static_cast<unsigned>(i) * 13) % std::size(kSizes)];
    kept[slot] =
        static_cast<unsigned char*>(i % 3 == 0 ? calloc(1, sizes[slot]) : malloc(sizes[slot]));
    CHECK(kept[slot] != nullptr);
    if (i % 5 == 0) {
      sizes[slot] += 100;
      kept[slot] = static_cast<unsigned char*>(realloc(kept[slot], sizes[slot]));
      CHECK(kept[slot] != nullptr);
    }
    kept[slot][0] = kept[slot][sizes[slot] - 1] = static_cast<unsigned char>(slot);
  }
  for (unsigned char* const block : kept) {
    free(block);
  }
}

// Threads that use the heap until the object goes.
class BusyThreads {
 public:
  explicit BusyThreads(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
      threads_.emplace_back([this, i] {
        while (!stop_.load(std::memory_order_relaxed)) {  // a hint to end, orders nothing
          use_heap(i, 100);
        }
      });
    }
  }
  ~BusyThreads() {
    stop_.store(true, std::memory_order_relaxed);  // as above
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  BusyThreads(const BusyThreads&) = delete;
  BusyThreads& operator=(const BusyThreads&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// A child that hangs is a failure: it is ended by its own alarm, and that shows here.
inline void expect_clean_exit(pid_t child) {
  int status = 0;
  CHECK(child > 0);
  while (waitpid(child, &status, 0) != child) {
    CHECK(errno == EINTR);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "a child ended with status 0x%x\n", static_cast<unsigned>(status));
    exit(1);
  }
}

template <typename Body>
void in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(test_level::kHangSeconds);
    body();
    _exit(0);
  }
  expect_clean_exit(child);
}

inline size_t resident_bytes() {
  char text[128] = {};
  FILE* const file = fopen("/proc/self/statm", "r");
  CHECK(file != nullptr && fgets(text, sizeof text, file) != nullptr);
  fclose(file);
  return strtoull(strchr(text, ' '), nullptr, 10) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace lifecycle

// Proves that threads may end, processes exit and libraries come and go at any moment: thread-local
// destructors and key destructors that allocate and free, blocks that outlive their thread, threads
// that only free, 10,000 short threads without growth, exit with threads at work, dlopen with and
// without RTLD_DEEPBIND, cancellation.
#include <limits.h>
#include <pthread.h>

#include <memory>
#include <string>

#include "lifecycle.hpp"

namespace {

using lifecycle::BusyThreads;
using lifecycle::in_child;
using lifecycle::resident_bytes;
using lifecycle::use_heap;
using test_level::Budget;

struct WorksInDestructor {
  std::vector<std::string> strings = std::vector<std::string>(50, std::string(100, 's'));
  ~WorksInDestructor() {
    strings.emplace_back(1000, 't');
    use_heap(1, 100);
  }
};
thread_local WorksInDestructor thread_object;

void thread_local_destructors_are_served() {
  Budget threads("threads", {100, 20, 40}, {300, 100, 600});
  while (threads.goes_on()) {
    std::thread([] {
      use_heap(2, 50);
      CHECK(thread_object.strings.size() == 50);
    }).join();
  }
}

pthread_key_t key;
std::atomic<int> rounds_run{0};

void run_round(void* value) {
  rounds_run.fetch_add(1, std::memory_order_relaxed);  // read after the join
  use_heap(3, 50);
  auto* const left = static_cast<int*>(value);
  if (--*left == 0) {
    free(left);
    return;
  }
  CHECK(pthread_setspecific(key, left) == 0);
}

// Keys beyond the first 32 make pthread_setspecific itself allocate.
void key_destructors_are_served_in_every_round() {
  pthread_key_t unused;
  for (int i = 0; i < 40; i++) {
    CHECK(pthread_key_create(&unused, nullptr) == 0);
  }
  CHECK(pthread_key_create(&key, run_round) == 0);
  Budget threads("threads", {60, 15, 40}, {300, 100, 600});
  while (threads.goes_on()) {
    std::thread([] {
      auto* const rounds = static_cast<int*>(malloc(sizeof(int)));
      *rounds = 4;
      CHECK(pthread_setspecific(key, rounds) == 0);
      use_heap(4, 20);
    }).join();
  }
  CHECK(rounds_run.load(std::memory_order_relaxed) == 4 * static_cast<int>(threads.begun()));  // the threads have been joined
}

constexpr int kLateBlocks = 3000;
void* late_blocks[kLateBlocks];
pthread_key_t late_key;

// The round of destructors is the value of the key.
void allocate_in_the_last_round(void* round) {
  const auto number = reinterpret_cast<uintptr_t>(round);
  if (number < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(late_key, reinterpret_cast<void*>(number + 1));
    return;
  }
  for (void*& block : late_blocks) {
    block = malloc(48);
    CHECK(block != nullptr);
    memset(block, 1, 48);
  }
}

void in_plain_thread(void* (*body)(void*)) {
  pthread_t thread;
  CHECK(pthread_create(&thread, nullptr, body, nullptr) == 0 && pthread_join(thread, nullptr) == 0);
}

// No destructor of the allocator's is called any more for such a thread. The next one has its stack
// and its thread pointer, and frees its blocks, before and after it has a heap of its own.
void first_allocation_in_the_last_round_of_destructors() {
  CHECK(pthread_key_create(&late_key, allocate_in_the_last_round) == 0);
  for (int turn = 0; turn < 20; turn++) {
    in_plain_thread([](void*) -> void* {
      CHECK(pthread_setspecific(late_key, reinterpret_cast<void*>(1)) == 0);
      return nullptr;
    });
    static int started;
    started = turn;
    in_plain_thread([](void*) -> void* {
      void* const own = started % 2 == 0 ? malloc(48) : nullptr;
      for (void* const block : late_blocks) {
        free(block);
      }
      free(own);
      use_heap(11, 300);
      return nullptr;
    });
    use_heap(12, 300);
  }
}

void blocks_outlive_their_thread() {
  for (int turn = 0; turn < 50; turn++) {
    std::vector<std::pair<unsigned char*, size_t>> blocks;
    std::thread([&blocks] {
      for (size_t size = 1; size < 200000; size = size * 5 / 4 + 7) {
        blocks.emplace_back(static_cast<unsigned char*>(malloc(size)), size);
        memset(blocks.back().first, 0x42, size);
      }
    }).join();
    use_heap(5, 200);
    for (const auto& [block, size] : blocks) {
      CHECK(block[0] == 0x42 && block[size - 1] == 0x42);
      free(block);
    }
  }
}

void threads_that_only_free() {
  size_t settled = 0;
  Budget threads("threads", {150, 80, 60}, {300, 300, 900});
  for (int turn = 0; threads.goes_on(); turn++) {
    std::vector<void*> blocks;
    for (int i = 0; i < 3000; i++) {
      blocks.push_back(malloc(static_cast<size_t>(i) % 2000 + 1));
    }
    std::thread([&blocks] {
      for (void* const block : blocks) {
        free(block);
      }
    }).join();
    if (turn == 50) {
      settled = resident_bytes();
    }
  }
  CHECK(resident_bytes() <= settled + (4 << 20));
}

void ten_thousand_short_threads_leave_nothing_behind() {
  size_t settled = 0;
  Budget threads("threads", {1500, 800, 60}, {10000, 2000, 1500});
  for (int turn = 0; threads.goes_on(); turn++) {
    std::thread([turn] { use_heap(static_cast<unsigned>(turn), 30); }).join();
    if (turn == 500) {
      settled = resident_bytes();
    }
  }
  CHECK(resident_bytes() <= settled + (4 << 20));
}

void free_at_exit(void) { use_heap(6, 100); }

struct FreesAtExit {
  std::unique_ptr<std::string> text;
  ~FreesAtExit() {
    use_heap(7, 50);
    text.reset();
  }
};
FreesAtExit static_object;

// Static destructors and atexit handlers run while other threads are still allocating.
void exit_with_threads_at_work() {
  Budget exits("processes", {30, 8, 40}, {200, 50, 600});
  for (unsigned turn = 0; exits.goes_on(); turn++) {
    in_child([turn] {
      static_object.text = std::make_unique<std::string>(500, 'x');
      CHECK(atexit(free_at_exit) == 0);
      for (unsigned i = 0; i < 3; i++) {
        std::thread([i] {
          for (;;) {
            use_heap(i, 50);
          }
        }).detach();
      }
      use_heap(turn, 50);
      exit(0);
    });
  }
}

void* open_plugin(int flags) {
  const char* const path = getenv("INTERPOSE_PLUGIN");
  CHECK(path != nullptr);
  void* const plugin = dlopen(path, RTLD_NOW | flags);
  if (plugin == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return plugin;
}

using Malloc = void* (*)(size_t);
using Free = void (*)(void*);
using Touch = size_t (*)();

template <typename Function>
Function function_of(void* plugin, const char* name) {
  auto* const function = reinterpret_cast<Function>(dlsym(plugin, name));
  CHECK(function != nullptr);
  return function;
}

void libraries_come_and_go() {
  const BusyThreads busy(2);
  for (int turn = 0; turn < 200; turn++) {
    void* const plugin = open_plugin(RTLD_LOCAL);
    const auto touch = function_of<Touch>(plugin, "plugin_touch");
    CHECK(touch() == 5100);
    std::thread([touch] { CHECK(touch() == 5100); }).join();
    auto* const block = static_cast<char*>(function_of<Malloc>(plugin, "plugin_malloc")(5000));
    function_of<Free>(plugin, "plugin_free")(malloc(700));
    CHECK(dlclose(plugin) == 0);
    CHECK(block[4999] == 'b');
    free(block);
  }
}

// Such a library calls the C library's malloc; its blocks, given to our free and realloc, go back
// there.
void blocks_of_a_deeply_bound_library_can_be_freed_here() {
  void* const plugin = open_plugin(RTLD_DEEPBIND);
  const auto plugin_malloc = function_of<Malloc>(plugin, "plugin_malloc");
  const auto malloc_usable =
      reinterpret_cast<size_t (*)(void*)>(dlsym(RTLD_DEFAULT, "malloc_usable_size"));
  for (size_t size = 1; size < 3000000; size = size * 3 + 1) {
    for (int turn = 0; turn < 20; turn++) {
      auto* block = static_cast<char*>(plugin_malloc(size));
      CHECK(malloc_usable(block) >= size);
      if (turn % 2 == 0) {
        block = static_cast<char*>(realloc(block, size * 2));
        CHECK(block != nullptr && block[size - 1] == 'b');
      }
      errno = 55;
      free(block);
      CHECK(errno == 55);
    }
  }
  std::thread([plugin_malloc] { free(plugin_malloc(100)); }).join();
}

void cancelled_threads_leave_a_sound_heap() {
  for (int turn = 0; turn < 200; turn++) {
    pthread_t thread;
    CHECK(pthread_create(
              &thread, nullptr,
              [](void*) -> void* {
                for (unsigned i = 0;; i++) {
                  use_heap(i, 5);
                  pthread_testcancel();
                }
              },
              nullptr) == 0);
    use_heap(8, 20);
    CHECK(pthread_cancel(thread) == 0);
    void* result = nullptr;
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
  }
}

void an_absent_environment_does_no_harm() {
  environ = nullptr;
  std::thread([] { use_heap(9, 300); }).join();
  use_heap(10, 300);
}

}  // namespace

#define CASE(name) \
  { #name, name }
static const check_case kCases[] = {
    CASE(thread_local_destructors_are_served),
    CASE(key_destructors_are_served_in_every_round),
    CASE(first_allocation_in_the_last_round_of_destructors),
    CASE(blocks_outlive_their_thread),
    CASE(threads_that_only_free),
    CASE(ten_thousand_short_threads_leave_nothing_behind),
    CASE(exit_with_threads_at_work),
    CASE(libraries_come_and_go),
    CASE(blocks_of_a_deeply_bound_library_can_be_freed_here),
    CASE(cancelled_threads_leave_a_sound_heap),
    CASE(an_absent_environment_does_no_harm),
};

int main(int argc, char** argv) { return check_main(argc, argv, kCases, std::size(kCases)); }

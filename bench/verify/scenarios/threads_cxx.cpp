// Threads and C++: destructors of thread_local and static objects that allocate and free.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "scenario.h"

//// thread_local destructors
struct Greedy {
  std::vector<std::string> texts;
  ~Greedy() {
    for (int i = 0; i < 50; ++i) texts.push_back(std::string(static_cast<size_t>(i) * 30, 'x'));
    texts.clear();
    delete[] static_cast<char*>(hide(new char[100000]));
  }
};
static thread_local Greedy greedy;
SCENARIO("threads.thread_local-destructors", kMustHold, "destructors of thread_local objects allocate and free") {
  for (int i = 0; i < 200; ++i) {
    std::thread([] { greedy.texts.assign(100, std::string(200, 'y')); }).join();
  }
  greedy.texts.assign(10, std::string(50, 'z'));
}

//// static initialisation
static std::vector<std::string> before_main(500, std::string(100, 'b'));
struct AtExit {
  ~AtExit() {
    std::vector<std::string> late(100, std::string(300, 'l'));
    before_main.clear();
    if (late.size() != 100) abort();
  }
};
static AtExit at_exit;
SCENARIO("threads.static-initialisation", kMustHold, "what was allocated before main is whole; destructors after it allocate and free") {
  HOLDS(before_main.size() == 500 && before_main[499] == std::string(100, 'b'));
  hide(&at_exit);
}

//// hand-over
SCENARIO("threads.shared_ptr-hand-over", kMustHold, "objects made by one thread end in others") {
  std::vector<std::shared_ptr<std::string>> objects;
  for (int i = 0; i < 2000; ++i) objects.push_back(std::make_shared<std::string>(static_cast<size_t>(i % 500), 'o'));
  std::vector<std::thread> threads;
  std::atomic<size_t> total{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([copy = objects, &total]() mutable {
      for (auto& object : copy) {
        total += object->size();
        object.reset();
      }
    });
  }
  objects.clear();
  for (auto& thread : threads) thread.join();
  HOLDS(total > 0);
}

//// a detached thread at exit
SCENARIO("threads.exit-while-allocating", kMustHold, "the process exits while a detached thread allocates") {
  for (int t = 0; t < 2; ++t) {
    std::thread([] {
      for (;;) hide(std::make_unique<std::string>(500, 'd').get());
    }).detach();
  }
  sleep_ms(20);
}

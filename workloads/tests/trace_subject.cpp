// A program to be recorded by trace_record_test.py. Each mode makes calls whose number and sizes
// the test knows.
#include <fcntl.h>
#include <mcheck.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace {

std::uint64_t g_random = 88172645463325252u;
std::uint64_t draw(std::uint64_t below) {
  g_random ^= g_random << 13;
  g_random ^= g_random >> 7;
  g_random ^= g_random << 17;
  return g_random % below;
}

void* keep(void* block) {
  asm volatile("" : : "r"(block) : "memory");
  return block;
}

void allocate(int count, std::size_t size) {
  for (int i = 0; i < count; ++i) {
    memset(keep(malloc(size)), 1, size);
  }
}

// KiB that a line of /proc/self/status says.
long status_kib(const char* key) {
  char text[4096] = {};
  const int fd = open("/proc/self/status", O_RDONLY);
  const ssize_t bytes = read(fd, text, sizeof text - 1);
  close(fd);
  const char* line = bytes > 0 ? strstr(text, key) : nullptr;
  return line != nullptr ? strtol(line + strlen(key), nullptr, 10) : -1;
}

void* new_block(std::size_t size) {
  void* block = nullptr;
  switch (draw(6)) {
    case 0:
      block = calloc(1 + size / 16, 16);
      break;
    case 1:
      block = aligned_alloc(64, (size + 63) / 64 * 64);
      break;
    case 2:
      if (posix_memalign(&block, 256, size) != 0) {
        abort();
      }
      break;
    default:
      block = malloc(size);
      break;
  }
  memset(keep(block), 7, size);
  return block;
}

// All kinds of calls, single-threaded and the same each time; grows to some 40 MiB, which it says
// in KiB of RSS.
int calls() {
  constexpr int kSlots = 8000;
  static void* slots[kSlots];
  const long before_kib = status_kib("VmRSS:");
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t slot = draw(kSlots);
    const std::size_t size = 1 + draw(std::uint64_t{1} << (4 + draw(11)));
    if (slots[slot] != nullptr && draw(5) == 0) {
      slots[slot] = keep(realloc(slots[slot], size));
      memset(slots[slot], 5, size);
    } else {
      free(slots[slot]);
      slots[slot] = new_block(size);
    }
  }
  allocate(6000, 4000);
  char* object = static_cast<char*>(keep(::operator new(777)));
  ::operator delete (object, std::size_t{777});
  const long peak_kib = status_kib("VmHWM:");
  char text[64];
  const int length = snprintf(text, sizeof text, "%ld\n", peak_kib - before_kib);
  return write(1, text, static_cast<std::size_t>(length)) == length ? 0 : 1;
}

// Threads that put what they allocate into shared slots and free what they find there.
int pass(int threads, int turns) {
  struct Slot {
    std::mutex mutex;
    void* block = nullptr;
  };
  static std::vector<Slot> slots(512);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([t, turns] {
      std::uint64_t state = 1 + static_cast<std::uint64_t>(t);
      for (int i = 0; i < turns; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const std::size_t size = 16 + (state >> 33) % 500;
        void* block = keep(malloc(size));
        memset(block, t, size);
        Slot& slot = slots[(state >> 20) % slots.size()];
        {
          const std::lock_guard lock(slot.mutex);
          std::swap(slot.block, block);
        }
        free(block);
      }
    });
  }
  for (auto& worker : workers) {
    worker.join();
  }
  return 0;
}

// As pass(), without a lock, and with reallocs on both sides: addresses cross as fast as they can.
int exchange(int threads, int turns) {
  static std::atomic<void*> slots[64];
  std::barrier start(threads);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([t, turns, &start] {
      std::uint64_t state = 1 + static_cast<std::uint64_t>(t);
      start.arrive_and_wait();
      for (int i = 0; i < turns; ++i) {
        if (i % 16 == 0) {  // with fewer processors than threads, they would hardly meet
          std::this_thread::yield();
        }
        state = state * 6364136223846793005u + 1442695040888963407u;
        void* block = keep(malloc(16 + (state >> 60) * 8));
        if ((state >> 40) % 4 == 0) {
          block = keep(realloc(block, 200 + (state >> 33) % 300));
        }
        memset(block, t, 16);
        // acq_rel: the block's content goes with it
        void* other = slots[(state >> 20) % 64].exchange(block, std::memory_order_acq_rel);
        if ((state >> 44) % 8 == 0 && other != nullptr) {
          other = keep(realloc(other, 24));
        }
        free(other);
      }
    });
  }
  for (auto& worker : workers) {
    worker.join();
  }
  return 0;
}

int short_threads(int count) {
  for (int i = 0; i < count; ++i) {
    std::thread([] {
      for (int n = 0; n < 5; ++n) {
        free(keep(malloc(1234)));
      }
    }).join();
  }
  return 0;
}

int fork_child() {
  allocate(3000, 1234);
  const pid_t pid = fork();
  if (pid == 0) {
    allocate(2000, 4321);
    _exit(0);
  }
  allocate(1000, 1234);
  int status = 1;
  return waitpid(pid, &status, 0) == pid ? status : 1;
}

// Under the C library's debugging malloc: 300 objects, of which 100 are reallocated and 250 freed.
int under_mtrace() {
  mtrace();
  for (int i = 0; i < 100; ++i) {
    void* block = keep(realloc(keep(malloc(100)), 5000));
    free(keep(calloc(3, 7)));
    free(keep(malloc(30)));
    if (i % 2 == 0) {
      free(block);
    }
  }
  muntrace();
  return 0;
}

// Allocates and frees for so long, slowly.
int spin(double seconds) {
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() <
         seconds) {
    for (int i = 0; i < 20; ++i) {
      free(keep(malloc(1234)));
    }
    usleep(1000);
  }
  return 0;
}

int crash() {
  allocate(5000, 1234);
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const double number = argc > 2 ? strtod(argv[2], nullptr) : 0;
  if (mode == "calls") {
    return calls();
  }
  if (mode == "pass") {
    return pass(8, static_cast<int>(number));
  }
  if (mode == "exchange") {
    return exchange(8, static_cast<int>(number));
  }
  if (mode == "short-threads") {
    return short_threads(static_cast<int>(number));
  }
  if (mode == "fork") {
    return fork_child();
  }
  if (mode == "spin") {
    return spin(number);
  }
  if (mode == "crash") {
    return crash();
  }
  if (mode == "allocate") {
    allocate(5000, 1234);
    return 0;
  }
  if (mode == "exit-now") {
    allocate(5000, 1234);
    _exit(0);
  }
  if (mode == "mtrace") {
    return under_mtrace();
  }
  if (mode == "killed") {
    for (int i = 0; i < 100'000; ++i) {
      free(keep(malloc(1234)));
    }
    return kill(getpid(), SIGKILL);
  }
  if (mode == "exec") {
    allocate(2000, 4321);
    execl("/proc/self/exe", argv[0], "allocate", nullptr);
  }
  return 2;
}

#include "allocator/osmem/hardened/faults.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/slabs/region.hpp"

namespace osmem::hardened {
namespace {

constexpr std::uintptr_t kNearBytes = std::uintptr_t{2} << 20;

struct Nearest {
  std::uintptr_t address;
  const void* block;  // near it; null: none
};

void look(void* address, std::size_t bytes, void* context) {
  auto* nearest = static_cast<Nearest*>(context);
  const auto start = reinterpret_cast<std::uintptr_t>(address);
  if (nearest->address + kNearBytes >= start && nearest->address < start + bytes + kNearBytes) nearest->block = address;
}

// The large blocks freed last, so that an access to one is known for what it is. Any thread; an entry may be half new, which
// makes the message less exact at worst.
constexpr std::size_t kFreedKept = 64;
struct Freed {
  std::atomic<std::uintptr_t> start{0};
  std::atomic<std::size_t> bytes{0};
};
constinit Freed g_freed[kFreedKept];
constinit std::atomic<std::size_t> g_freed_count{0};

bool was_mapping(std::uintptr_t address) {
  for (const Freed& freed : g_freed) {
    // Relaxed, both: see above.
    const std::uintptr_t start = freed.start.load(std::memory_order_relaxed);
    if (start != 0 && address - start < freed.bytes.load(std::memory_order_relaxed)) return true;
  }
  return false;
}

// Async-signal-safe but for the lock of the mappings: the fault came from the program's own code, which does not hold it.
void on_fault(int signal, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (g_heap_base != 0 && address >= g_heap_base - kNearBytes && address < g_heap_base + g_region.reserved_bytes()) {
    die("access to a part of the heap that no block was ever in: far outside a block", info->si_addr);
  }
  if (was_mapping(address)) die("access to a large block that was freed", info->si_addr);
  Nearest nearest{address, nullptr};
  large::for_each(look, &nearest);
  if (nearest.block != nullptr) die("access far outside a block: behind its end or before its start", info->si_addr);
  std::signal(signal, SIG_DFL);  // the access is made again, and ends the program as it would have
}

}  // namespace

void note_freed_mapping(std::uintptr_t start, std::size_t bytes) {
  // Relaxed, all: see above.
  Freed& freed = g_freed[g_freed_count.fetch_add(1, std::memory_order_relaxed) % kFreedKept];
  freed.start.store(start, std::memory_order_relaxed);
  freed.bytes.store(bytes, std::memory_order_relaxed);
}

void watch_faults() {
  for (const int signal : {SIGSEGV, SIGBUS}) {
    struct sigaction before {};
    if (sigaction(signal, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) continue;
    struct sigaction ours {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    sigaction(signal, &ours, nullptr);
  }
}

}  // namespace osmem::hardened

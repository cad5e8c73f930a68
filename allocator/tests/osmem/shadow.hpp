// A shadow model of the heap: it remembers what every live block must look like, makes random calls
// of osmem's whole C interface, and ends the process with the seed and the place when the heap
// disagrees.
//
// Checked: contents (a pattern of each block's own, over all of the usable size), overlap (two
// blocks cannot both keep their patterns; with kExact every interval is compared, too), alignment,
// usable size (at least the request, constant), realloc's copy, calloc's zeros, errno: ENOMEM on
// failure, else as it was.
//
// A Driver belongs to one thread at a time, but may move from thread to thread between calls of
// run; blocks move between drivers through an Exchange, which any thread may use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace shadow {

struct Block {
  unsigned char* data = nullptr;  // null: no block
  size_t size_bytes = 0;          // as requested
  size_t usable_bytes = 0;
  size_t alignment = 1;
  uint64_t pattern = 0;
  bool is_filled_fully = false;  // else at its ends and at sampled places
};

// Where threads leave blocks for others to check and free.
class Exchange {
 public:
  // Puts the block in place `index`, and gives out what lay there.
  Block swap(size_t index, const Block& block);
  static constexpr size_t kPlaces = 512;

 private:
  struct Place {
    std::mutex mutex;
    Block block;
  };
  std::array<Place, kPlaces> places_;
};

enum class OverlapCheck { kByContents, kExact };
enum class OutOfMemory { kIsFailure, kIsExpected };

struct Options {
  uint64_t seed = 1;
  size_t live_limit_bytes = size_t{64} << 20;  // above it, only small blocks are requested
  size_t slot_count = 2048;
  OverlapCheck overlap = OverlapCheck::kByContents;
  OutOfMemory out_of_memory = OutOfMemory::kIsFailure;
  int dump_fd = -1;  // where heap maps go now and then; one thread only
};

class Driver {
 public:
  Driver(const Options& options, Exchange& exchange);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  void run(uint64_t operations);
  // Checks and frees every block of this driver.
  void free_all();
  // Sum of os_usable_size over this driver's blocks.
  size_t usable_bytes() const { return usable_bytes_; }
  uint64_t failed_requests() const { return failed_requests_; }

 private:
  uint64_t random();
  size_t random_below(size_t limit) { return static_cast<size_t>(random() % limit); }
  size_t random_size();
  size_t random_alignment();

  void step();
  void change_phase();
  void operate_on(Block& block);
  void allocate(Block& block);
  static void* allocate_for_container(size_t size, size_t alignment);
  void resize(Block& block);
  void release(Block& block);
  void exchange(Block& block);
  void trim_or_ask();

  void adopt(Block& block, void* data, size_t size, size_t alignment);
  void forget(Block& block);
  void fill(Block& block);
  void check(const Block& block);
  void check_contents(const Block& block, size_t limit_bytes);
  void check_zero(const unsigned char* data, size_t size);
  void note_failed_request();
  void enter_interval(const Block& block);
  void leave_interval(const Block& block);
  [[noreturn]] void fail(const char* what, const void* address, size_t size) const;

  const Options options_;
  Exchange& exchange_;
  uint64_t state_;
  uint64_t operation_ = 0;
  uint64_t failed_requests_ = 0;
  size_t usable_bytes_ = 0;
  size_t active_slots_ = 64;  // of slots_: those in play in this phase
  std::vector<Block> slots_;
  std::map<uintptr_t, uintptr_t> intervals_;  // kExact only: begin to end
};

// Runs `thread_count` drivers, each for operations / thread_count calls, in threads that exit and
// are succeeded every `generation_operations` calls; then frees all, partly from threads that never
// allocated. `report`, if given, is called from one thread with the number of operations done so
// far.
struct Load {
  uint64_t operations = 1000000;
  uint64_t generation_operations = 50000;
  unsigned thread_count = 1;
  Options options;
  void (*report)(uint64_t operations_done) = nullptr;
};
void run_load(const Load& load);

}  // namespace shadow

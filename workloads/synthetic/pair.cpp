// pair: what does one malloc and its free cost, when nothing else goes on?
//
// Origin: the first thing every author of an allocator times; the fast path and nothing else. Each
// thread allocates a block of `size` bytes, writes its first and last byte, reads them back, and
// frees it, so at most one block a thread is live. Parameters: size, and api, the pair of
// functions: malloc/free, operator new/sized operator delete, posix_memalign/free with `alignment`,
// or calloc/free (the ends must read zero).
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>

#include "workloads/memory.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kPairsPerIteration = 64;

enum class Api { kMalloc, kSized, kAligned, kCalloc };

class Pair : public Workload {
 public:
  explicit Pair(const Setup& setup)
      : size_(setup.count("size")),
        alignment_(setup.count("alignment")),
        api_(static_cast<Api>(setup["api"])) {
    if (!std::has_single_bit(alignment_)) {
      throw std::invalid_argument("pair: alignment must be a power of two");
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    switch (api_) {
      case Api::kMalloc:
        return repeat<Api::kMalloc>(steps);
      case Api::kSized:
        return repeat<Api::kSized>(steps);
      case Api::kAligned:
        return repeat<Api::kAligned>(steps);
      case Api::kCalloc:
        return repeat<Api::kCalloc>(steps);
    }
    return {};
  }

 private:
  template <Api api>
  void* take() const {
    if constexpr (api == Api::kSized) {
      return ::operator new(size_);
    }
    if constexpr (api == Api::kAligned) {
      void* block = nullptr;
      return posix_memalign(&block, alignment_, size_) == 0 ? allocated(block, size_)
                                                            : allocated(nullptr, size_);
    }
    if constexpr (api == Api::kCalloc) {
      return allocated(std::calloc(1, size_), size_);
    }
    return allocate(size_);
  }

  template <Api api>
  void give_back(void* block) const {
    if constexpr (api == Api::kSized) {
      ::operator delete(block, size_);
    } else {
      std::free(block);
    }
  }

  template <Api api>
  Tally repeat(Steps& steps) const {
    Tally tally;
    while (steps.next()) {
      for (const std::uint64_t end = tally.operations + kPairsPerIteration; tally.operations < end; ++tally.operations) {
        tally.checksum += one_pair<api>(tag_of(tally.operations));
      }
    }
    return tally;
  }

  // Gives what was read.
  template <Api api>
  std::uint64_t one_pair(std::uint8_t tag) const {
    std::uint64_t seen = 0;
    void* block = take<api>();
    if constexpr (api == Api::kCalloc) {
      seen += read_ends(block, size_);
    }
    if constexpr (api == Api::kAligned) {
      seen += reinterpret_cast<std::uintptr_t>(block) & (alignment_ - 1);
    }
    touch_ends(block, size_, tag);
    seen += read_ends(block, size_);
    give_back<api>(block);
    return seen;
  }

  std::size_t size_;
  std::size_t alignment_;
  Api api_;
};

const Registration registration(
    {.name = "pair",
     .question = "What does one malloc and its free cost, when nothing else goes on?",
     .origin = "the fast path alone; the first thing that authors of allocators time",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters =
         {{"size", 64, "bytes", "size of each block", 1, 1 << 30},
          {"api", 0, "", "functions called", 0, 3, {"malloc", "sized", "aligned", "calloc"}},
          {"alignment", 64, "bytes", "with api=aligned: a power of two", 8, 1 << 21}},
     .smoke_iterations = 100,
     .profile = "live: at most one block a thread; every lifetime ends before the next begins; no "
                "remote frees"},
    [](const Setup& setup) { return std::make_unique<Pair>(setup); });

}  // namespace
}  // namespace workloads

// realloc-grow: is growing in place, or by moving pages, used where it saves a copy?
//
// Origin: a vector that doubles (pattern "double"), a string builder that appends (pattern "step"
// with a small step), a buffer that is read into (pattern "step" with a step of 64 KiB). An
// iteration grows one block from 16 bytes to `max` by realloc, the first byte of each new page and
// the last byte written, then shrinks it in the same way and frees it. After each realloc the ends
// of what was kept are checked, and at the top one byte of each page. Every thread has its own
// block.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kFirstBytes = 16;

enum class Pattern { kDouble, kStep };

// A block that grows and shrinks; its first byte, the first byte of each page and its last byte
// carry one tag.
class Buffer {
 public:
  explicit Buffer(std::uint8_t tag)
      : tag_(tag), block_(static_cast<std::uint8_t*>(allocate(kFirstBytes))) {
    touch_ends(block_, bytes_, tag_);
  }

  void grow(std::size_t bytes) {
    const std::size_t kept = bytes_;
    resize(bytes);
    checksum_ += block_[kept - 1];
    for (std::size_t i = round_up(kept); i < bytes; i += kPageBytes) {
      block_[i] = tag_;
    }
    block_[bytes - 1] = tag_;
  }

  void shrink(std::size_t bytes) {
    resize(bytes);
    block_[bytes - 1] = tag_;
  }

  void check_pages() { checksum_ += read_each(block_, bytes_, kPageBytes); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // The block is gone afterwards. An operation is a realloc; the malloc and the free are one
  // together.
  Tally finish() {
    std::free(block_);
    return {reallocs_ + 1, checksum_};
  }

 private:
  static std::size_t round_up(std::size_t bytes) {
    return (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
  }

  void resize(std::size_t bytes) {
    block_ = static_cast<std::uint8_t*>(allocated(std::realloc(block_, bytes), bytes));
    checksum_ += block_[0];
    bytes_ = bytes;
    ++reallocs_;
  }

  std::uint8_t tag_;
  std::uint8_t* block_;
  std::size_t bytes_ = kFirstBytes;
  std::uint64_t reallocs_ = 0;
  std::uint64_t checksum_ = 0;
};

class ReallocGrow : public Workload {
 public:
  explicit ReallocGrow(const Setup& setup)
      : max_(std::max(setup.count("max"), kFirstBytes)),
        step_(setup.count("step")),
        pattern_(static_cast<Pattern>(setup["pattern"])) {}

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    for (std::int64_t i = 0; steps.next(); ++i) {
      Buffer buffer(tag_of(static_cast<std::uint64_t>(i)));
      while (buffer.bytes() < max_) {
        buffer.grow(larger(buffer.bytes()));
      }
      buffer.check_pages();
      while (buffer.bytes() > kFirstBytes) {
        buffer.shrink(smaller(buffer.bytes()));
      }
      const Tally one = buffer.finish();
      tally.operations += one.operations;
      tally.checksum += one.checksum;
    }
    return tally;
  }

 private:
  [[nodiscard]] std::size_t larger(std::size_t bytes) const {
    return std::min(max_, pattern_ == Pattern::kDouble ? 2 * bytes : bytes + step_);
  }

  [[nodiscard]] std::size_t smaller(std::size_t bytes) const {
    if (pattern_ == Pattern::kDouble) {
      return std::max(kFirstBytes, bytes / 2);
    }
    return bytes > kFirstBytes + step_ ? bytes - step_ : kFirstBytes;
  }

  std::size_t max_;
  std::size_t step_;
  Pattern pattern_;
};

const Registration registration(
    {.name = "realloc-grow",
     .question = "Is growing in place, or by moving pages, used where it saves a copy?",
     .origin = "a std::vector, a string builder, a reading buffer",
     .operation = "a realloc",
     .threading = Threading::kAny,
     .parameters = {{"pattern", 0, "", "how the block grows", 0, 1, {"double", "step"}},
                    {"step", 16, "bytes", "step: bytes added by each realloc", 1, 1 << 30},
                    {"max", 64 << 20, "bytes", "size at the top", 16, std::int64_t{1} << 36}},
     .smoke_iterations = 5,
     .smoke_parameters = "max=4m",
     .profile = "live: one block a thread, a sawtooth from 16 bytes to max each iteration; no "
                "remote frees"},
    [](const Setup& setup) { return std::make_unique<ReallocGrow>(setup); });

}  // namespace
}  // namespace workloads

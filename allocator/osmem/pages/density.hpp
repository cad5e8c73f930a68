// L1: which large blocks get huge pages: those of which it is certain that they will be written whole.
//
// A huge page is had by one fault instead of 512, but of a block that is touched here and there it makes resident what nobody wants.
// What a program did with its large blocks so far tells what it does with the next one: as a block comes back, a few of its pages are
// looked at, and one that holds something was written. (No system call that common seccomp filters allow tells as much.) After a few in
// a row that were written whole, the next one gets huge pages; a single one that was not ends that, and where that one had huge pages,
// twice as many have to be seen from then on. Blocks that were asked for zeroed are judged apart: often they are tables.
//
// Only whole huge pages inside a block are used, so a block that is written whole wastes nothing.
// Thread-safe, without locks: estimates.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace osmem {

class Density {
 public:
  // Whether blocks of this size may have huge pages, by what was seen so far.
  [[nodiscard]] bool certain(std::size_t bytes, bool zeroed) const;

  // A block comes back, or is about to grow: looks at `bytes` of it that were zero when it was handed out. Returns whether it seems to be written whole. Reads the block.
  bool look(const void* block, std::size_t bytes, bool zeroed, bool huge);

 private:
  struct Kind {
    std::atomic<std::uint32_t> seen{0};      // dense blocks in a row
    std::atomic<std::uint32_t> doublings{0}; // of the number that has to be seen
  };
  [[nodiscard]] static bool enough(const Kind& kind);

  Kind kinds_[2];  // not zeroed, zeroed
  std::atomic<std::uint32_t> looks_{0};
};

}  // namespace osmem

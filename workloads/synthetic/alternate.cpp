// alternate: what does an allocator give back when every second block of a heap is free?
//
// Origin: the simplest fragmentation there is. Each iteration allocates `megabytes` MiB in blocks
// of `size` bytes, their pages written, and frees every second one, and then, after the phase
// "holes", the others. The default size is just above what most allocators call small: a block
// covers whole pages of its own, so half the memory could go back.
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

class Alternate : public Workload {
 public:
  explicit Alternate(const Setup& setup)
      : size_(setup.count("size")), blocks_(setup.count("megabytes") * 1048576 / size_ + 1) {}

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    while (steps.next()) {
      for (void*& block : blocks_) {
        block = allocate(size_);
        touch_pages(block, size_, tag_of(tally.operations++));
      }
      mark_phase("filled");
      free_every_second(1, tally);
      mark_phase("holes");
      free_every_second(0, tally);
      mark_phase("all-freed");
    }
    return tally;
  }

 private:
  void free_every_second(std::size_t first, Tally& tally) {
    for (std::size_t i = first; i < blocks_.size(); i += 2) {
      tally.checksum += read_each(blocks_[i], size_, kPageBytes);
      std::free(blocks_[i]);
    }
  }

  std::size_t size_;
  MappedArray<void*> blocks_;
};

const Registration registration(
    {.name = "alternate",
     .question = "What does it give back when every second block of a heap is free?",
     .origin = "the simplest fragmentation there is",
     .operation = "a malloc and a free",
     .threading = Threading::kSingle,
     .parameters = {{"megabytes", 400, "MiB", "live at the top", 1, 1 << 20},
                    {"size", 16400, "bytes", "size of each block", 1, 1 << 20}},
     .smoke_iterations = 1,
     .smoke_parameters = "megabytes=8",
     .profile = "live, each iteration: 0 to megabytes, half of it, 0; one size; no remote frees"},
    [](const Setup& setup) { return std::make_unique<Alternate>(setup); });

}  // namespace
}  // namespace workloads

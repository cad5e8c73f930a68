// frame-burst: is memory that is needed again in two milliseconds given back meanwhile?
//
// Origin: public reports of players, games and network stacks that work in frames. An iteration is a frame: `count` buffers of `size` bytes
// are taken and written, a byte a page, and all are freed; then the thread sleeps `pause` microseconds.
#include <time.h>

#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

class FrameBurst : public Workload {
 public:
  explicit FrameBurst(const Setup& setup)
      : size_(setup.count("size")), pause_{setup["pause"] / 1000000, setup["pause"] % 1000000 * 1000}, buffers_(setup.count("count")) {}

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    while (steps.next()) {
      for (void*& buffer : buffers_) {
        buffer = allocate(size_);
        touch_pages(buffer, size_, tag_of(tally.operations++));
      }
      for (void* buffer : buffers_) {
        tally.checksum += read_ends(buffer, size_);
        std::free(buffer);
      }
      nanosleep(&pause_, nullptr);
    }
    return tally;
  }

 private:
  std::size_t size_;
  timespec pause_;
  MappedArray<void*> buffers_;
};

const Registration registration(
    {.name = "frame-burst",
     .question = "Is memory that is needed again in two milliseconds given back meanwhile?",
     .origin = "public reports of programs that work in frames",
     .operation = "a malloc and a free",
     .threading = Threading::kSingle,
     .parameters = {{"count", 64, "buffers", "buffers of a frame", 1, 1 << 20},
                    {"size", 65536, "bytes", "size of a buffer", 1, 1 << 30},
                    {"pause", 2000, "us", "sleep between frames", 0, 60'000'000}},
     .smoke_iterations = 3,
     .profile = "live: 0 to count x size and back each frame; one size; no remote frees"},
    [](const Setup& setup) { return std::make_unique<FrameBurst>(setup); });

}  // namespace
}  // namespace workloads

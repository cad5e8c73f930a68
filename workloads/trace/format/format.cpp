#include "workloads/trace/format/format.hpp"

#include <cstring>

namespace trace {

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::kMalloc:
      return "malloc";
    case Kind::kCalloc:
      return "calloc";
    case Kind::kRealloc:
      return "realloc";
    case Kind::kAlignedAlloc:
      return "aligned_alloc";
    case Kind::kPosixMemalign:
      return "posix_memalign";
    case Kind::kFree:
      return "free";
    case Kind::kFreeSized:
      return "free_sized";
    case Kind::kThreadStart:
      return "thread_start";
    case Kind::kThreadEnd:
      return "thread_end";
  }
  return "unknown";
}

std::uint32_t block_check(BlockHeader header) {
  header.check = 0;
  unsigned char bytes[sizeof header];
  std::memcpy(bytes, &header, sizeof header);
  std::uint32_t hash = 2166136261u;
  for (const unsigned char byte : bytes) {
    hash = (hash ^ byte) * 16777619u;
  }
  return hash;
}

}  // namespace trace

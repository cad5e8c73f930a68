#include "workloads/trace/format/address_tracker.hpp"

namespace trace {

std::optional<AddressTracker::Object> AddressTracker::begin_realloc(std::uint64_t address) {
  const auto found = live_.find(address);
  if (found == live_.end()) {
    return std::nullopt;
  }
  const Object object{address, found->second};
  live_.erase(found);
  return object;
}

void AddressTracker::claim(std::uint32_t thread, std::uint64_t address) {
  if (const std::optional<Object> object = begin_realloc(address)) {
    writer_.release(thread, Kind::kFree, object->slot);
    ++missed_;
  }
}

void AddressTracker::allocate(const Event& call, std::uint64_t address) {
  claim(call.thread, address);
  std::uint32_t slot = 0;
  switch (call.kind) {
    case Kind::kCalloc:
      slot = writer_.calloc(call.thread, call.count, call.size);
      break;
    case Kind::kAlignedAlloc:
    case Kind::kPosixMemalign:
      slot = writer_.aligned(call.thread, call.kind, call.alignment_log2, call.size);
      break;
    default:
      slot = writer_.malloc(call.thread, call.size);
      break;
  }
  live_[address] = slot;
}

void AddressTracker::release(std::uint32_t thread, Kind kind, std::uint64_t address) {
  if (const std::optional<Object> object = begin_realloc(address)) {
    writer_.release(thread, kind, object->slot);
  } else {
    ++unknown_;
  }
}

void AddressTracker::end_realloc(std::uint32_t thread, const std::optional<Object>& old,
                                 std::uint64_t address, std::uint64_t size) {
  if (address == 0) {
    ++failed_;
    if (old) {
      live_[old->address] = old->slot;
    }
    return;
  }
  claim(thread, address);
  if (old) {
    writer_.realloc(thread, old->slot, size);
    live_[address] = old->slot;
  } else {
    ++unknown_;
    live_[address] = writer_.malloc(thread, size);
  }
}

}  // namespace trace

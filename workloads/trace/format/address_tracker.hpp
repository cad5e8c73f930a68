// Turns calls that name objects by address into events of a trace, which name them by slot.
//
// Takes what a recording that was switched off for a while, or that began late, may hold: a free of
// an address that nobody allocated is left out; an address that is allocated again without a free
// in between was freed unseen, and a free is put in.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "workloads/trace/format/writer.hpp"

namespace trace {

class AddressTracker {
 public:
  struct Object {
    std::uint64_t address;
    std::uint32_t slot;
  };

  explicit AddressTracker(Writer& writer) : writer_(writer) {}

  // `call` says kind, thread, size, count and alignment.
  void allocate(const Event& call, std::uint64_t address);
  void release(std::uint32_t thread, Kind kind, std::uint64_t address);
  // A realloc takes time, in which another thread can be given the old address: it has two ends.
  std::optional<Object> begin_realloc(std::uint64_t address);
  // `address` 0: it failed, and the old object stays.
  void end_realloc(std::uint32_t thread, const std::optional<Object>& old, std::uint64_t address,
                   std::uint64_t size);

  [[nodiscard]] std::uint64_t unknown() const { return unknown_; }
  [[nodiscard]] std::uint64_t missed() const { return missed_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }

 private:
  void claim(std::uint32_t thread, std::uint64_t address);

  Writer& writer_;
  std::unordered_map<std::uint64_t, std::uint32_t> live_;  // address -> slot
  std::uint64_t unknown_ = 0;  // frees and reallocs of addresses whose allocation was not seen
  std::uint64_t missed_ = 0;   // frees that were put in
  std::uint64_t failed_ = 0;   // reallocs
};

}  // namespace trace

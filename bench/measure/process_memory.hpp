// What the kernel says of this process's memory. Nothing here allocates from the heap, so reading does not change
// what is read. Any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace bench {

struct ResidentMemory {
  std::uint64_t now_bytes = 0;   // VmRSS
  std::uint64_t peak_bytes = 0;  // VmHWM: since the process's start, or since the last reset_peak()
};

// From /proc/self/status. ru_maxrss would not do: it inherits the parent's peak across exec. Nothing if /proc is not there.
std::optional<ResidentMemory> resident_memory();

// Makes VmHWM start again from the present VmRSS (5 to /proc/self/clear_refs). False if the kernel refuses.
bool reset_peak();

// Makes the code and constants of all loaded objects resident, which the kernel otherwise maps in pieces of 64 KiB when they
// are first used: they would count as memory of whatever ran first. Does nothing where the kernel cannot (before 5.14).
void map_in_code();

struct MappingTotals {
  std::uint64_t resident_bytes = 0;
  std::uint64_t proportional_bytes = 0;      // PSS: shared pages divided among their users
  std::uint64_t anonymous_huge_bytes = 0;    // AnonHugePages
};

// From /proc/self/smaps_rollup: walks all page tables, so it takes up to milliseconds.
std::optional<MappingTotals> mapping_totals();

// VmRSS in bytes by way of /proc/self/statm, held open: the cheapest reading there is.
class ResidentReader {
 public:
  ResidentReader();
  ~ResidentReader();
  ResidentReader(const ResidentReader&) = delete;
  ResidentReader& operator=(const ResidentReader&) = delete;
  // 0 if /proc is not there.
  [[nodiscard]] std::uint64_t read_bytes() const;

 private:
  int file_;
};

}  // namespace bench

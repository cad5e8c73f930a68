// What the kernel says of a process's memory, most often this one's. Nothing here allocates from the heap, so reading does not
// change what is read. Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace bench {

struct ResidentMemory {
  std::uint64_t now_bytes = 0;   // VmRSS
  std::uint64_t peak_bytes = 0;  // VmHWM: since the process's start, or since the last reset_peak()
};

inline constexpr pid_t kThisProcess = 0;

// From /proc/PID/status. ru_maxrss would not do: it inherits the parent's peak across exec. Nothing if /proc or the process is not
// there.
std::optional<ResidentMemory> resident_memory(pid_t process = kThisProcess);

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

// From /proc/PID/smaps_rollup: walks all page tables, so it takes up to milliseconds.
std::optional<MappingTotals> mapping_totals(pid_t process = kThisProcess);

// VmRSS in bytes by way of /proc/PID/statm, held open: the cheapest reading there is.
class ResidentReader {
 public:
  explicit ResidentReader(pid_t process = kThisProcess);
  ~ResidentReader();
  ResidentReader(const ResidentReader&) = delete;
  ResidentReader& operator=(const ResidentReader&) = delete;
  // 0 if /proc or the process is not there.
  [[nodiscard]] std::uint64_t read_bytes() const;

 private:
  int file_;
};

}  // namespace bench

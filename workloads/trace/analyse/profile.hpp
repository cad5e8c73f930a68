// What a trace asks of an allocator, in figures: sizes, lifetimes, live memory over time, threads,
// remote frees, reallocs. Made in one pass; memory is one entry a live object.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "workloads/trace/format/reader.hpp"

namespace trace {

// Bucket of a number: 0 for 0, else 1 + floor(log2).
constexpr unsigned log2_bucket(std::uint64_t value) {
  return static_cast<unsigned>(std::bit_width(value));
}
inline constexpr unsigned kSizeBuckets = 49;      // sizes are at most 2^47
inline constexpr unsigned kLifetimeBuckets = 48;  // in calls

struct Profile {
  std::string info;  // "key=value" lines
  Totals totals;
  std::string truncated;  // as Reader::truncated()
  std::uint64_t file_bytes = 0;
  std::array<std::uint64_t, kLastKind + 1> kinds{};      // events by Kind
  std::array<std::uint64_t, kSizeBuckets> sizes{};       // new objects by bucket of their size
  std::array<std::uint64_t, kSizeBuckets> size_bytes{};  // their bytes
  std::uint64_t allocated_bytes = 0;  // of new objects and of what reallocs added
  // Freed objects by size when freed and by lifetime: allocation and free calls of any thread
  // between birth and free.
  std::array<std::array<std::uint64_t, kLifetimeBuckets>, kSizeBuckets> lifetimes{};
  std::array<std::uint64_t, kSizeBuckets> never_freed{};  // live at the end, by size
  std::uint64_t remote_frees = 0;  // on another thread than the last allocation or realloc
  std::uint64_t frees = 0;
  struct {
    std::uint64_t grew = 0, shrank = 0, same = 0, remote = 0;
    double log2_growth = 0;  // summed over those that grew from a size above 0
    std::uint64_t grown_from_some = 0;
  } reallocs;
  struct Thread {
    std::uint64_t events = 0, allocations = 0, frees = 0, remote_frees = 0;
  };
  std::vector<Thread> threads;
  struct Point {
    std::uint64_t time_us, event, live_bytes, live_objects;
  };
  std::vector<Point> timeline;  // the highest of each stretch of equally many events, and the last
  static constexpr std::size_t kMaxPoints = 1024;  // and two more
};

Profile make_profile(Reader& reader);

// As a table for people, and as JSON for programs.
std::string to_table(const Profile& profile, const std::string& name);
std::string to_json(const Profile& profile, const std::string& name);

// "1.5 MiB", "812 B"; "3.4 M", "812".
std::string human_bytes(double bytes);
std::string human_count(double count);

}  // namespace trace

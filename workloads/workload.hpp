// What a workload is to the workbench.
//
// A workload repeats one unit of work (an iteration) as often as it is told to on each of its threads, with plain
// malloc, free, new and delete, and says how many operations it did and a checksum of what it saw. It is built for
// one measurement, used once and destroyed. Everything random is drawn from the seed before the clock starts, in
// memory from MappedArray, so that neither the drawing nor its storage is measured. The checksum depends on
// parameters, threads, iterations and seed only: never on addresses, the allocator or the scheduler.
//
// To add one: derive from Workload, describe it in an Info, and define one Registration at namespace scope, in a
// .cpp file built into bench-worker or into a shared object given as --workload=./mine.so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/steps.hpp"

namespace workloads {

// An integer that the user can set: `--workload='larson:min=8,max=1000'`.
struct Parameter {
  std::string name;
  std::int64_t value;        // the default
  std::string unit;          // "bytes", "blocks", "MiB", "" ...
  std::string meaning;       // one line
  std::int64_t min_value;    // smallest and largest value accepted
  std::int64_t max_value;
  std::vector<std::string> choices{};  // where not empty: names of the values 0, 1, ... for the user to write
};

enum class Threading {
  kSingle,  // runs on one thread only
  kAny,     // runs on any number of threads
};

enum class Kind { kSynthetic, kRealistic, kTrace, kUser, kServer };

// Immutable description, shown by `bench list workloads`.
struct Info {
  std::string name{};       // e.g. "larson"; lower case, digits and dashes
  std::string question{};   // one line: what it asks of an allocator
  std::string origin{};     // where the pattern comes from
  std::string operation{};  // what one operation is, e.g. "a free and a malloc"
  Kind kind = Kind::kSynthetic;
  Threading threading = Threading::kSingle;
  std::vector<Parameter> parameters{};
  std::int64_t smoke_iterations = 1;  // enough for a test, well under a second
  std::string smoke_parameters{};     // where the defaults are too large for one: "megabytes=8"
  std::string threads_note{};  // what a thread of `threads` is, where run() starts threads of its own
  std::string profile{};       // live memory over time, sizes, lifetimes, remote frees: what parameters determine
};

// What a workload is built from. Owned by the caller, outlives the workload.
class Setup {
 public:
  Setup(const Info& info, std::vector<std::int64_t> values, int threads, std::uint64_t seed)
      : info_(info), values_(std::move(values)), threads_(threads), seed_(seed) {}

  // The value of a parameter, by name; throws std::out_of_range for a name that Info does not list.
  [[nodiscard]] std::int64_t operator[](std::string_view parameter) const;
  // The same for a parameter that is a size or a count, never negative.
  [[nodiscard]] std::size_t count(std::string_view parameter) const {
    return static_cast<std::size_t>((*this)[parameter]);
  }
  [[nodiscard]] int threads() const { return threads_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

 private:
  const Info& info_;
  std::vector<std::int64_t> values_;  // in the order of info_.parameters
  int threads_;
  std::uint64_t seed_;
};

// What one thread did. Summed over threads (checksums modulo 2^64, so that the order does not matter).
struct Tally {
  std::uint64_t operations = 0;
  std::uint64_t checksum = 0;
};

// Exit code of a process whose workload was refused memory; see out_of_memory() in memory.hpp.
inline constexpr int kOutOfMemoryExitCode = 75;

// Names a moment of the run ("filled", "drained") for memory timelines. Cheap; does nothing unless the worker
// samples memory. Safe from any thread.
void mark_phase(const char* name);

class Workload {
 public:
  virtual ~Workload() = default;
  // Called once on each of setup.threads() threads, index 0..threads-1, released together. Timed. Does an iteration for
  // each steps.next() that is true, until one is not.
  // Frees all it allocated before it returns: what is left belongs to the constructor and destructor.
  virtual Tally run(int thread_index, Steps& steps) = 0;
  // Seconds of that many iterations that are the workload's own machinery and no work: subtracted from the wall time.
  // For replays, which measure it; everything else measures itself whole.
  [[nodiscard]] virtual double own_seconds(std::int64_t iterations) const {
    static_cast<void>(iterations);
    return 0;
  }
};

using Factory = std::function<std::unique_ptr<Workload>(const Setup&)>;

struct Entry {
  Info info;
  Factory make;
};

// All workloads known to this process, in order of name. Not thread-safe while modules are being loaded.
std::span<const Entry> registered();

// Registers at load time. A name that is registered already is an error reported when the list is first used.
class Registration {
 public:
  Registration(Info info, Factory make);
};

}  // namespace workloads

// empirical: how does an allocator do on the sizes and lifetimes of a real program, without the
// program?
//
// Origin: profiles counted under the C library on Debian 12: g++ 12 compiling a small C++ file with
// -O2 ("compiler"), CPython 3.11 with PYTHONMALLOC=malloc on dictionaries, JSON and regular
// expressions ("python"), and the sqlite3 shell on inserts, an index, a join and updates
// ("sqlite"). A row is a size, how many blocks of it were allocated, and how many were live on
// average; by Little's law their quotient is the mean lifetime. The constructor draws `operations`
// births and deaths from a row's rates (a birth-death process: births by rate, deaths by live count
// over lifetime) from a heap that is filled to the averages. An iteration fills the heap, replays
// them, and drains it; the ends of blocks are written and read. Every thread replays the same on
// blocks of its own.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

struct Row {
  std::uint32_t bytes;
  double births;  // in the program's run, which is the unit of time
  double live;    // mean over the run
};

constexpr Row kCompiler[] = {
    {104, 107869, 10.37}, {46, 74425, 219.41}, {13, 57129, 1358.12}, {58, 45510, 7536.83},
    {25, 35296, 461.67},  {205, 19629, 14.24}, {74, 14187, 1063.09}, {249, 10710, 45.89},
    {8027, 10141, 10.31}, {89, 8088, 432.28},  {3926, 6435, 17.52},  {136, 6135, 5.12},
    {952, 4689, 5.17},    {169, 4199, 53.28},  {490, 2989, 1.11},    {623, 2689, 7.18},
    {123, 2667, 27.47},   {1951, 2405, 18.99}, {344, 2285, 11.10},   {7907, 2803, 35.98}};

constexpr Row kPython[] = {
    {55, 574378, 169995.91}, {30, 506190, 97954.23}, {72, 177181, 7385.23}, {42, 112273, 4188.63},
    {152, 24620, 2626.30},   {216, 21137, 456.66},   {1, 17331, 141.45},    {287, 9725, 187.48},
    {125, 5739, 1503.39},    {89, 3385, 1519.33},    {103, 2706, 726.65},   {187, 2489, 243.06},
    {205, 1453, 501.76},     {674, 1266, 554.25},    {931, 797, 547.81},    {253, 710, 266.69},
    {399, 593, 233.10},      {136, 581, 264.74},     {235, 578, 371.01},    {34888, 1325, 282.39}};

constexpr Row kSqlite[] = {{31, 84140, 22.28},  {40, 76155, 78.67},   {15, 60110, 23.59},
                           {1033, 2077, 83.98}, {4284, 1428, 281.38}, {7066, 663, 0.5},
                           {92, 189, 44.99},    {136, 60, 6.01},      {62, 44, 16.53},
                           {107, 42, 9.99},     {8370, 37, 0.5},      {74, 35, 17.33},
                           {121, 27, 2.94},     {2426, 20, 1.29},     {958, 18, 4.06},
                           {563, 15, 6.73},     {158, 11, 3.66},      {348725, 24, 2.68}};

std::span<const Row> rows_of(std::int64_t profile) {
  switch (profile) {
    case 1:
      return kPython;
    case 2:
      return kSqlite;
    default:
      return kCompiler;
  }
}

// One birth (bytes > 0) into an empty slot or one death (0) of a full one.
struct Operation {
  std::uint32_t slot;
  std::uint32_t bytes;
};

// The live blocks of one row, by slot; a row's slots are a range of their own.
class Population {
 public:
  Population(const Row& row, std::uint32_t first_slot)
      : row_(&row), slots_(capacity(row)), live_(static_cast<std::size_t>(row.live)) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      slots_[i] = first_slot + static_cast<std::uint32_t>(i);
    }
  }

  static std::size_t capacity(const Row& row) {
    return static_cast<std::size_t>(4 * row.live) + 64;
  }

  // Deaths in a unit of time at the present number of blocks.
  [[nodiscard]] double death_rate() const {
    return static_cast<double>(live_) * row_->births / row_->live;
  }
  [[nodiscard]] const Row& row() const { return *row_; }
  [[nodiscard]] std::span<const std::uint32_t> live() const { return {slots_.begin(), live_}; }

  // A population that has reached four times its mean has a death instead.
  Operation birth(Random& random) {
    if (live_ == slots_.size()) {
      return death(random);
    }
    return {slots_[live_++], row_->bytes};
  }

  // Requires a live block.
  Operation death(Random& random) {
    std::swap(slots_[random.below(live_)], slots_[live_ - 1]);
    return {slots_[--live_], 0};
  }

 private:
  const Row* row_;
  MappedArray<std::uint32_t> slots_;  // the first live_ are live
  std::size_t live_;
};

// Draws one event after the other from the populations of all rows (Gillespie's direct method).
class Process {
 public:
  explicit Process(std::span<const Row> rows) {
    std::uint32_t first_slot = 0;
    for (const Row& row : rows) {
      populations_.emplace_back(row, first_slot);
      first_slot += static_cast<std::uint32_t>(Population::capacity(row));
      births_ += row.births;
    }
  }

  [[nodiscard]] std::span<const Population> populations() const { return populations_; }

  Operation next(Random& random) {
    double deaths = 0;
    for (const Population& population : populations_) {
      deaths += population.death_rate();
    }
    double left = random.real() * (births_ + deaths);
    for (Population& population : populations_) {
      if (left < population.row().births) {
        return population.birth(random);
      }
      left -= population.row().births;
      if (left < population.death_rate()) {
        return population.death(random);
      }
      left -= population.death_rate();
    }
    return populations_.front().birth(random);  // rounding has left a rest
  }

 private:
  std::vector<Population> populations_;
  double births_ = 0;
};

class Empirical : public Workload {
 public:
  explicit Empirical(const Setup& setup) : operations_(setup.count("operations")) {
    const std::span<const Row> rows = rows_of(setup["profile"]);
    Random random(setup.seed());
    Process process(rows);
    std::size_t initially_live = 0;
    std::size_t slots = 0;
    for (const Population& population : process.populations()) {
      initially_live += population.live().size();
      slots += Population::capacity(population.row());
    }
    fill_ = MappedArray<Operation>(initially_live);
    std::size_t i = 0;
    for (const Population& population : process.populations()) {
      for (const std::uint32_t slot : population.live()) {
        fill_[i++] = {slot, population.row().bytes};
      }
    }
    random.shuffle(fill_);
    for (Operation& operation : operations_) {
      operation = process.next(random);
    }
    for (int thread = 0; thread < setup.threads(); ++thread) {
      blocks_.emplace_back(slots);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    MappedArray<Block>& blocks = blocks_[static_cast<std::size_t>(thread_index)];
    Tally tally;
    while (steps.next()) {
      for (const Operation& operation : fill_) {
        put(blocks[operation.slot], operation.bytes, tally);
      }
      mark_phase("filled");
      for (const Operation& operation : operations_) {
        Block& block = blocks[operation.slot];
        operation.bytes == 0 ? drop(block, tally) : put(block, operation.bytes, tally);
      }
      mark_phase("replayed");
      for (Block& block : blocks) {
        if (block.pointer != nullptr) {
          drop(block, tally);
        }
      }
    }
    return tally;
  }

 private:
  static void put(Block& block, std::size_t bytes, Tally& tally) {
    block = {allocate(bytes), bytes};
    touch_ends(block.pointer, bytes, tag_of(tally.operations++));
  }

  static void drop(Block& block, Tally& tally) {
    tally.checksum += read_ends(block.pointer, block.bytes);
    std::free(std::exchange(block.pointer, nullptr));
  }

  MappedArray<Operation> fill_;
  MappedArray<Operation> operations_;
  std::vector<MappedArray<Block>> blocks_;
};

const Registration registration(
    {.name = "empirical",
     .question =
         "How does it do on the sizes and lifetimes of a real program, without the program?",
     .origin = "profiles of g++, CPython and the sqlite3 shell, counted on Debian 12",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters =
         {{"profile", 0, "", "whose sizes and lifetimes", 0, 2, {"compiler", "python", "sqlite"}},
          {"operations", 1000000, "events", "births and deaths in an iteration", 1000, 1 << 28}},
     .smoke_iterations = 1,
     .smoke_parameters = "operations=20000",
     .profile =
         "live: level at the profile's average a thread (compiler 1.1 MB, python 25 MB, sqlite 2.0 "
         "MB, peaks to twice that by its few blocks of 349 kB); mostly "
         "below 128 bytes, a few of 8 kB and more; lifetimes exponential by size; no remote frees"},
    [](const Setup& setup) { return std::make_unique<Empirical>(setup); });

}  // namespace
}  // namespace workloads

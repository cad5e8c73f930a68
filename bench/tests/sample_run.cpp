#include "bench/tests/sample_run.hpp"

#include <array>

namespace bench::sample_run {
namespace {

struct Made {
  const char* allocator;
  double speed;  // against glibc
  double size;   // peak RSS against glibc
};

constexpr std::array kMade{Made{"osmem", 1.80, 0.92}, Made{"glibc", 1, 1},
                           Made{"jemalloc", 1.15, 1.30}, Made{"mimalloc", 1.60, 1.70},
                           Made{"limit", 2.5, 1.05}};

struct Work {
  Kind kind;
  const char* workload;
  int threads;
  double operations_per_s;
  double live_bytes;
};

constexpr std::array kWork{Work{Kind::kSynthetic, "pair", 1, 52e6, 4096e3},
                           Work{Kind::kSynthetic, "larson:max=2000", 1, 11e6, 20e6},
                           Work{Kind::kSynthetic, "larson:max=2000", 4, 31e6, 80e6},
                           Work{Kind::kLibraries, "json", 1, 850, 6.5e6},
                           Work{Kind::kPrograms, "program/lua", 1, 3, 30e6},
                           Work{Kind::kPrograms, "program/perl", 1, 2, 900e6}};

constexpr int kBlocks = 6;

// A little scatter that cancels to nobody's advantage: another for each block, workload and
// allocator.
double scatter(int block, std::size_t work, std::size_t made) {
  const auto step = (static_cast<std::size_t>(block) * 7 + work * 5 + made * 3) % 11;
  return 1 + (static_cast<double>(step) - 5) * 0.002;
}

Status status_of(const Work& work, const Made& made, int block) {
  if (work.threads == 4 && made.allocator == std::string("jemalloc") && block == 2) {
    return Status::kCrashed;
  }
  if (work.workload == std::string("json") && made.allocator == std::string("glibc")) {
    return Status::kTimeout;
  }
  return Status::kOk;
}

void add(std::vector<Sample>& samples, const Sample& cell, const char* metric, const char* unit,
         double value) {
  samples.push_back(cell);
  samples.back().metric = metric;
  samples.back().unit = unit;
  samples.back().value = value;
}

void add_cell(std::vector<Sample>& samples, int block, std::size_t work_index,
              std::size_t made_index) {
  const Work& work = kWork[work_index];
  const Made& made = kMade[made_index];
  Sample cell;
  cell.block = block;
  cell.workload = work.workload;
  cell.threads = work.threads;
  cell.kind = work.kind;
  cell.allocator = made.allocator;
  cell.status = status_of(work, made, block);
  if (cell.status != Status::kOk) {
    cell.detail = cell.status == Status::kCrashed ? "signal 11 (SIGSEGV), see \"core\""
                                                  : "no result within 60 s";
    samples.push_back(cell);
    return;
  }
  const double speed = work.operations_per_s * made.speed * scatter(block, work_index, made_index);
  add(samples, cell, "throughput", "ops/s", speed);
  add(samples, cell, "wall_time", "s", 0.5 * work.operations_per_s / speed);
  add(samples, cell, "user_time", "s", 0.45 * work.operations_per_s / speed);
  add(samples, cell, "system_time", "s", 0.01);
  add(samples, cell, "peak_rss", "bytes", work.live_bytes * 1.25 * made.size);
  add(samples, cell, "mean_rss", "bytes", work.live_bytes * made.size);
  add(samples, cell, "fragmentation", "1", 1.25 * made.size);
  add(samples, cell, "major_faults", "1", 0);
  add(samples, cell, "iterations", "1", 0.5 * work.operations_per_s / 10);
}

}  // namespace

RunFacts facts() {
  RunFacts facts;
  facts.command = "bench --allocator=osmem --against=glibc,jemalloc,mimalloc,limit";
  facts.suite = "quick";
  facts.baseline = "glibc";
  facts.allocators = {"osmem", "glibc", "jemalloc", "mimalloc", "limit"};
  facts.workloads = {"pair", "larson:max=2000", "json", "program/lua", "program/perl"};
  facts.references = {"limit"};
  facts.repetitions = kBlocks;
  facts.min_time_s = 0.5;
  facts.seed = 42;
  facts.warnings = {{"frequency governor is powersave", "cpupower frequency-set -g performance"}};
  facts.environment = {
      {"cpu",
       {{"model", "Example CPU @ 3 GHz"},
        {"count", 2},
        {"caches", {{{"level", "1"}, {"size", "32K"}}}}}},
      {"baseline", "glibc"},
      {"command", "bench --allocator=osmem --against=glibc,jemalloc,mimalloc,limit"},
      {"kernel", "Linux 6.1.0"},
      {"libc", "glibc 2.36"},
      {"compiler", "GCC 12.2.0 -O2 -g1 -DNDEBUG"},
      {"build_type", "Release"},
      {"commit", "0123abc"},
      {"dirty", false},
      {"date", "2026-01-02T03:04:05Z"},
      {"host", "example"},
      {"allocators",
       {{{"name", "osmem"},
         {"version", "0.1.0"},
         {"library", "lib/libosmem.so"},
         {"sha256", "ab12"}},
        {{"name", "glibc"}, {"version", "2.36"}, {"library", nullptr}, {"sha256", nullptr}}}}};
  return facts;
}

std::vector<Sample> samples() {
  std::vector<Sample> samples;
  for (int block = 0; block < kBlocks; ++block) {
    for (std::size_t work = 0; work < kWork.size(); ++work) {
      for (std::size_t made = 0; made < kMade.size(); ++made) {
        // Another order of allocators in each block, as in a real run.
        add_cell(samples, block, work, (made + static_cast<std::size_t>(block)) % kMade.size());
      }
    }
  }
  return samples;
}

Report report() { return digest(facts(), samples()); }

}  // namespace bench::sample_run

// The part of the console table that shows times of calls: a block a cell, a row an allocator and function, and below it the slowest calls
// with what the kernel did in them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "bench/model/metric.hpp"
#include "bench/output/grid.hpp"
#include "bench/output/index.hpp"
#include "bench/output/latency.hpp"
#include "bench/output/number.hpp"

namespace bench {
namespace {

constexpr std::array kTimedThings{"malloc", "free", "calloc", "realloc", "aligned", "request"};
constexpr std::array kShown{"p50", "p90", "p99", "p99.9", "p99.99", "max"};
constexpr int kSlowestPerAllocator = 2;

const Summary* time_of(const Index& index, const CellName& cell, const std::string& thing, const char* which, const std::string& allocator) {
  return index.summary(cell, thing + "_" + which, allocator);
}

// "24 ns", "1.02 ms"
std::string duration(double ns) {
  return ns < 1e3 ? fmt::format("{:.3g} ns", ns) : ns < 1e6 ? fmt::format("{:.3g} us", ns * 1e-3)
         : ns < 1e9 ? fmt::format("{:.3g} ms", ns * 1e-6) : fmt::format("{:.3g} s", ns * 1e-9);
}

GridRow heading_of_times() {
  GridRow row{{"call", Align::kLeft, Paint::kHeading}, {"allocator", Align::kLeft, Paint::kHeading}};
  for (const char* which : kShown) {
    row.push_back({which, Align::kRight, Paint::kHeading});
  }
  row.push_back({"calls", Align::kRight, Paint::kHeading});
  return row;
}

void add_times(const Report& report, const Index& index, const CellName& cell, const std::string& thing, std::vector<GridRow>& rows) {
  for (const std::string& allocator : report.facts.allocators) {
    const Summary* most = time_of(index, cell, thing, "max", allocator);
    if (most == nullptr || !most->median) {
      continue;
    }
    GridRow row{{thing, Align::kLeft}, {allocator, Align::kLeft}};
    for (const char* which : kShown) {
      const Summary* time = time_of(index, cell, thing, which, allocator);
      row.push_back(time != nullptr && time->median ? GridCell{duration(*time->median)} : GridCell{"-", Align::kRight, Paint::kFaint});
    }
    const Summary* calls = index.summary(cell, thing + "_calls", allocator);
    row.push_back({calls != nullptr && calls->median ? fmt::format("{:.0f}", *calls->median) : "-"});
    rows.push_back(std::move(row));
  }
}

std::string slowest_calls(const Report& report, const CellName& cell, const Style& style) {
  std::string text;
  for (const std::string& allocator : report.facts.allocators) {
    for (const Sample& sample : report.samples) {
      const bool is_here = sample.workload == cell.workload && sample.threads == cell.threads && sample.allocator == allocator;
      if (is_here && sample.value && sample.metric.starts_with("slow_call_") && sample.metric.back() <= '0' + kSlowestPerAllocator) {
        text += wrapped(fmt::format("{}: {} in {}", allocator, duration(*sample.value), sample.detail), 2, static_cast<std::size_t>(style.width));
      }
    }
  }
  return text.empty() ? text : "Slowest calls, of a run of their own that asks the kernel around each:\n" + text;
}

std::string timer_line(const Report& report) {
  std::vector<double> costs;
  std::string timer;
  for (const Sample& sample : report.samples) {
    if (sample.metric == "timer_cost" && sample.value) {
      costs.push_back(*sample.value);
      timer = sample.detail;
    }
  }
  if (costs.empty()) {
    return "";
  }
  const auto [least, most] = std::minmax_element(costs.begin(), costs.end());
  return fmt::format("Every call timed {}; the timer's own {} to {} is subtracted from each. Medians over the blocks; percentiles within "
                     "0.8 % (latency.csv has the histograms).",
                     timer, duration(*least), duration(*most));
}

}  // namespace

std::string render_latency(const Report& report, const Index& index, const Style& style) {
  std::string text;
  for (const CellName& cell : index.cells()) {
    std::vector<GridRow> rows{heading_of_times()};
    for (const char* thing : kTimedThings) {
      add_times(report, index, cell, thing, rows);
    }
    if (rows.size() > 1) {
      text += painted(fmt::format("{}, {} thread{}", cell.workload, cell.threads, cell.threads == 1 ? "" : "s"), Paint::kHeading, style.colour);
      text += '\n' + render_grid(rows, style.colour) + slowest_calls(report, cell, style) + '\n';
    }
  }
  if (text.empty()) {
    return text;
  }
  const std::string timer = timer_line(report);
  return painted("Latency (lower is better)", Paint::kHeading, style.colour) + '\n' +
         (timer.empty() ? timer : wrapped(timer, 0, static_cast<std::size_t>(style.width))) + '\n' + text;
}

}  // namespace bench

#include "bench/stats/warning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <tuple>

#include "bench/stats/quantile.hpp"

namespace bench {
namespace {

constexpr double kNoisyRelativeIqr = 0.10;
constexpr double kOutlierIqrs = 3;
constexpr double kSlowFirst = 0.05;
constexpr double kShortRegionS = 1e-3;
constexpr std::size_t kNamed = 3;  // worst cases that a warning names

// The repetitions of one allocator in one cell, in order of block.
struct Series {
  std::string where;  // "larson, 2 threads, glibc"
  std::vector<double> values;
};

// One kind of doubt: how bad it is in each series that shows it.
struct Finding {
  double severity;
  std::string text;  // "larson, 2 threads, glibc: 34 %"
};

std::vector<Series> series_of(std::span<const Sample> samples, std::string_view metric) {
  std::map<std::tuple<std::string_view, int, std::string_view>, std::map<int, double>> cells;
  for (const Sample& sample : samples) {
    if (sample.metric == metric && sample.status == Status::kOk && sample.value) {
      cells[{sample.workload, sample.threads, sample.allocator}][sample.block] = *sample.value;
    }
  }
  std::vector<Series> all;
  for (const auto& [key, blocks] : cells) {
    const auto& [workload, threads, allocator] = key;
    Series series{
        fmt::format("{}, {} thread{}, {}", workload, threads, threads == 1 ? "" : "s", allocator),
        {}};
    for (const auto& [block, value] : blocks) {
      series.values.push_back(value);
    }
    all.push_back(std::move(series));
  }
  return all;
}

// "in 7 of 80 series, worst larson, 2 threads, glibc: 34 %; ..."
std::string worst_of(std::vector<Finding> findings, std::size_t series_count) {
  std::ranges::stable_sort(findings, std::ranges::greater{}, &Finding::severity);
  std::string text = fmt::format("in {} of {} series: ", findings.size(), series_count);
  for (std::size_t i = 0; i < std::min(findings.size(), kNamed); ++i) {
    text += (i == 0 ? "" : "; ") + findings[i].text;
  }
  return text + (findings.size() > kNamed ? "; ..." : "");
}

void noisy(const Series& series, std::vector<Finding>& findings) {
  if (series.values.size() < 3) {
    return;
  }
  const double middle = median(series.values);
  const double relative = (quantile(series.values, 0.75) - quantile(series.values, 0.25)) / middle;
  if (relative > kNoisyRelativeIqr) {
    findings.push_back({relative, fmt::format("{}: {:.0f} %", series.where, 100 * relative)});
  }
}

// The first block against the slowest of all others: a warm-up that the others did not need.
void slow_first(const Series& series, std::vector<Finding>& findings) {
  if (series.values.size() < 4) {
    return;
  }
  const double slowest_other =
      *std::ranges::min_element(series.values.begin() + 1, series.values.end());
  const double loss = 1 - series.values.front() / slowest_other;
  if (loss > kSlowFirst) {
    findings.push_back({loss, fmt::format("{}: {:.0f} %", series.where, 100 * loss)});
  }
}

void outliers(const Series& series, std::vector<Finding>& findings) {
  if (series.values.size() < 5) {
    return;
  }
  const double low = quantile(series.values, 0.25);
  const double high = quantile(series.values, 0.75);
  const double reach = kOutlierIqrs * (high - low);
  const auto beyond = std::ranges::count_if(
      series.values, [&](double value) { return value < low - reach || value > high + reach; });
  if (beyond > 0) {
    findings.push_back({static_cast<double>(beyond),
                        fmt::format("{}: {} of {}", series.where, beyond, series.values.size())});
  }
}

// In most blocks and in one direction: one in a hundred blocks shows a trend by chance.
void drifting(const Series& series, std::vector<Finding>& findings) {
  const double middle = median(series.values);
  if (middle != 0) {
    findings.push_back({std::abs(middle), fmt::format("{}: {} by {:.2g} % a second", series.where,
                                                      middle > 0 ? "still slowing" : "still getting faster", 100 * std::abs(middle))});
  }
}

void too_short(const Series& series, std::vector<Finding>& findings) {
  const double shortest_s = *std::ranges::min_element(series.values);
  if (shortest_s < kShortRegionS) {
    findings.push_back({-shortest_s, fmt::format("{}: {:.0f} us", series.where, 1e6 * shortest_s)});
  }
}

void look(std::span<const Series> all, void (*check)(const Series&, std::vector<Finding>&),
          std::string_view what, std::string_view remedy, std::vector<Warning>& warnings) {
  std::vector<Finding> findings;
  for (const Series& series : all) {
    check(series, findings);
  }
  if (!findings.empty()) {
    warnings.push_back(
        {fmt::format("{} {}", what, worst_of(findings, all.size())), std::string(remedy)});
  }
}

}  // namespace

std::vector<Warning> noise_warnings(std::span<const Sample> samples) {
  const std::vector<Series> throughput = series_of(samples, "throughput");
  const std::vector<Series> wall_time = series_of(samples, "wall_time");
  std::vector<Warning> warnings;
  look(throughput, noisy, "throughput scatters (interquartile range over 10 % of the median)",
       "stop other work on this machine, or raise --repetitions", warnings);
  look(throughput, slow_first, "the first block is more than 5 % slower than all others",
       "the machine was still warming up or caching files: run again, or raise --repetitions",
       warnings);
  look(throughput, outliers, "outliers (over 3 interquartile ranges away; kept in all figures)",
       "look for what woke up then; raise --repetitions so that single blocks weigh less",
       warnings);
  look(series_of(samples, "drift"), drifting, "no steady state within the run", "raise --min-time, or read the figure as one of this length",
       warnings);
  look(wall_time, too_short, "timed regions under 1 ms", "raise --min-time", warnings);
  return warnings;
}

}  // namespace bench

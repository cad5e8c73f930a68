#include "bench/stats/cost.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "bench/model/metric.hpp"

namespace bench {
namespace {

// What a cost is made of, and the throughput: its log-ratio stands for that of the wall time, which has none of its own.
enum Part { kUser, kSystem, kWall, kResident, kThroughput, kParts };
constexpr std::array<std::string_view, kParts> kNames{"user_time", "system_time", "wall_time", "mean_rss", "throughput"};

struct Figure {
  std::optional<double> value;
  std::optional<double> log_ratio;
};

using Figures = std::array<Figure, kParts>;

struct Spent {
  double cpu_s = 0;
  double byte_s = 0;
  [[nodiscard]] double cost(double bytes_per_cpu) const { return cpu_s + byte_s / bytes_per_cpu; }
};

struct Measured {
  const Sample* first = nullptr;
  Figures figures;
};

using ByAllocator = std::map<std::string_view, Measured>;
struct CellKey {
  std::string_view workload;
  int threads;
  auto operator<=>(const CellKey&) const = default;
};

// Cells in order of first appearance; in each its blocks.
struct Cells {
  std::vector<CellKey> order;
  std::map<CellKey, std::map<int, ByAllocator>> blocks;
};

Cells collect(std::span<const Sample> samples) {
  Cells cells;
  for (const Sample& sample : samples) {
    const auto part = std::ranges::find(kNames, sample.metric) - kNames.begin();
    if (part == kParts || sample.status != Status::kOk || !sample.value) {
      continue;
    }
    const CellKey key{sample.workload, sample.threads};
    if (!cells.blocks.contains(key)) {
      cells.order.push_back(key);
    }
    Measured& measured = cells.blocks[key][sample.block][sample.allocator];
    measured.first = measured.first == nullptr ? &sample : measured.first;
    measured.figures[static_cast<std::size_t>(part)] = {sample.value, sample.log_ratio};
  }
  return cells;
}

std::optional<Spent> spent(const Figures& figures) {
  for (const Part part : {kUser, kSystem, kWall, kResident}) {
    if (!figures[part].value) {
      return std::nullopt;
    }
  }
  return Spent{*figures[kUser].value + *figures[kSystem].value, *figures[kResident].value * *figures[kWall].value};
}

// The same, each figure taken from the baseline's by the log-ratio where there is one.
std::optional<Spent> paired(Figures figures, const Figures& baseline) {
  if (!figures[kWall].log_ratio && figures[kThroughput].log_ratio) {
    figures[kWall].log_ratio = -*figures[kThroughput].log_ratio;
  }
  for (std::size_t part = 0; part < kParts; ++part) {
    if (figures[part].log_ratio && baseline[part].value) {
      figures[part].value = *baseline[part].value * std::exp(*figures[part].log_ratio);
    }
  }
  return spent(figures);
}

const Figures* baseline_of(const ByAllocator& block, std::string_view baseline) {
  const auto found = block.find(baseline);
  return found != block.end() && spent(found->second.figures) ? &found->second.figures : nullptr;
}

CostLine mean_line(std::span<const CostLine> lines) {
  CostLine mean{lines.front().allocator, 0, 0};
  for (const CostLine& line : lines) {
    mean.cpu_s += line.cpu_s / static_cast<double>(lines.size());
    mean.byte_s += line.byte_s / static_cast<double>(lines.size());
  }
  return mean;
}

// One allocator's line in one cell; none if no block has both.
std::optional<CostLine> line_of(const std::map<int, ByAllocator>& blocks, const std::string& allocator, std::string_view baseline) {
  std::vector<CostLine> lines;
  for (const auto& [block, figures] : blocks) {
    const Figures* base = baseline_of(figures, baseline);
    const auto own = figures.find(allocator);
    if (base == nullptr || own == figures.end()) {
      continue;
    }
    const double unit = spent(*base)->cpu_s;
    if (const auto now = paired(own->second.figures, *base); now && unit > 0) {
      lines.push_back({allocator, now->cpu_s / unit, now->byte_s / unit});
    }
  }
  return lines.empty() ? std::nullopt : std::optional(mean_line(lines));
}

std::string gibibytes(double bytes) {
  const double gib = bytes / static_cast<double>(1ULL << 30U);
  const int decimals = gib >= 9.95 ? 0 : gib >= 0.995 ? 1 : gib >= 0.0995 ? 2 : 3;
  return fmt::format("{:.{}f} GiB", gib, decimals);
}

}  // namespace

std::vector<Sample> cost_samples(std::span<const Sample> samples, std::string_view baseline, double bytes_per_cpu) {
  std::vector<Sample> costs;
  const Cells cells = collect(samples);
  for (const CellKey& key : cells.order) {
    for (const auto& [block, allocators] : cells.blocks.at(key)) {
      const Figures* base = baseline_of(allocators, baseline);
      for (const auto& [allocator, measured] : allocators) {
        const auto own = spent(measured.figures);
        if (!own) {
          continue;
        }
        Sample cost = *measured.first;
        cost.metric = "cost";
        cost.unit = metric_named("cost").unit;
        cost.value = own->cost(bytes_per_cpu);
        cost.log_ratio.reset();
        if (base != nullptr && allocator != baseline && spent(*base)->cost(bytes_per_cpu) > 0) {
          cost.log_ratio = std::log(paired(measured.figures, *base)->cost(bytes_per_cpu) / spent(*base)->cost(bytes_per_cpu));
        }
        costs.push_back(std::move(cost));
      }
    }
  }
  return costs;
}

std::vector<CellCost> cell_costs(std::span<const Sample> samples, std::string_view baseline, std::span<const std::string> candidates) {
  std::vector<CellCost> costs;
  const Cells cells = collect(samples);
  for (const CellKey& key : cells.order) {
    const auto& blocks = cells.blocks.at(key);
    CellCost cost{std::string(key.workload), key.threads, blocks.begin()->second.begin()->second.first->kind, {}};
    for (const std::string& allocator : candidates) {
      if (auto line = line_of(blocks, allocator, baseline)) {
        cost.lines.push_back(std::move(*line));
      }
    }
    if (!candidates.empty() && cost.lines.size() == candidates.size()) {
      costs.push_back(std::move(cost));
    }
  }
  return costs;
}

std::vector<CostLine> cost_of_kind(std::span<const CellCost> cells, Kind kind) {
  std::map<std::string_view, std::vector<const CellCost*>> families;
  for (const CellCost& cell : cells) {
    if (cell.kind == kind) {
      families[family_of(cell.workload)].push_back(&cell);
    }
  }
  std::vector<CostLine> lines;
  for (std::size_t i = 0; !families.empty() && i < families.begin()->second.front()->lines.size(); ++i) {
    std::vector<CostLine> votes;
    for (const auto& [family, members] : families) {
      std::vector<CostLine> own;
      for (const CellCost* cell : members) {
        own.push_back(cell->lines[i]);
      }
      votes.push_back(mean_line(own));
    }
    lines.push_back(mean_line(votes));
  }
  return lines;
}

// With x = 1 / price the costs are straight lines cpu_s + byte_s x. From x = 0, where the least CPU time wins, each crossing leads to a
// line of less memory.
std::vector<PriceRange> cheapest_by_price(std::span<const CostLine> lines) {
  std::vector<PriceRange> ranges;
  if (lines.empty()) {
    return ranges;
  }
  const CostLine* now = &*std::ranges::min_element(lines, {}, [](const CostLine& line) { return std::pair(line.cpu_s, line.byte_s); });
  double price = std::numeric_limits<double>::infinity();
  while (now != nullptr) {
    const CostLine* next = nullptr;
    double next_price = 0;
    for (const CostLine& line : lines) {
      if (line.byte_s < now->byte_s) {
        const double crossing = (now->byte_s - line.byte_s) / (line.cpu_s - now->cpu_s);
        if (next == nullptr || crossing > next_price || (crossing == next_price && line.byte_s < next->byte_s)) {
          next = &line;
          next_price = crossing;
        }
      }
    }
    ranges.push_back({now->allocator, next_price, price});
    price = next_price;
    now = next;
  }
  std::ranges::reverse(ranges);
  return ranges;
}

std::string in_words(std::span<const PriceRange> ranges) {
  if (ranges.size() == 1) {
    return ranges.front().allocator + " at any price";
  }
  std::string text;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const PriceRange& range = ranges[i];
    text += (i == 0 ? "" : ", ") + range.allocator;
    text += i == 0                    ? fmt::format(" below {}", gibibytes(range.to_bytes))
            : i + 1 == ranges.size() ? " above"
                                      : fmt::format(" to {}", gibibytes(range.to_bytes));
  }
  return text;
}

}  // namespace bench

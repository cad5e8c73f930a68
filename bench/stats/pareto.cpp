#include "bench/stats/pareto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>

namespace bench {
namespace {

// The log-ratios to the baseline of one allocator in one figure.
struct Figure {
  double log_ratio = 0;
  std::map<int, double> blocks;
};

struct Candidate {
  std::string name;
  Figure throughput;
  Figure peak_rss;
};

struct Confidence {
  double alone;   // of an interval that is shown
  double family;  // of one that decides
  double least_log_effect;
  double log_margin;
  std::size_t least_blocks;
};

// How one figure stands to another, by what is shown.
struct Relation {
  bool better = false;
  bool not_worse = false;  // by the margin or more
};

const GeometricMean* find(std::span<const GeometricMean> means, std::string_view metric,
                          std::string_view allocator) {
  const auto found = std::ranges::find_if(means, [&](const GeometricMean& mean) {
    return mean.metric == metric && mean.allocator == allocator && mean.ratio;
  });
  return found == means.end() ? nullptr : &*found;
}

// The baseline has no log-ratios of its own: they are 0 in every block that others have.
Figure figure_of(std::span<const GeometricMean> means, const GeometricMean& mean,
                 std::string_view baseline) {
  Figure figure{std::log(*mean.ratio), {}};
  for (const GeometricMean& other : means) {
    if (other.metric != mean.metric) {
      continue;
    }
    for (const BlockRatio& ratio : other.log_ratios) {
      if (mean.allocator == baseline) {
        figure.blocks[ratio.block] = 0;
      } else if (other.allocator == mean.allocator) {
        figure.blocks[ratio.block] = ratio.log_ratio;
      }
    }
  }
  return figure;
}

std::vector<double> differences(const Figure& a, const Figure& b) {
  std::vector<double> values;
  for (const auto& [block, value] : a.blocks) {
    const auto other = b.blocks.find(block);
    if (other != b.blocks.end()) {
      values.push_back(value - other->second);
    }
  }
  return values;
}

Quotient quotient(const Figure& a, const Figure& b, double confidence) {
  Quotient result{std::exp(a.log_ratio - b.log_ratio), {}};
  const std::vector<double> values = differences(a, b);
  if (!values.empty()) {
    result.interval = exp_of(interval_of(estimate(values), confidence));
  }
  return result;
}

// How a stands to b. `sign` is 1 where more is better, -1 where less is.
Relation relation(const Figure& a, const Figure& b, int sign, const Confidence& confidence) {
  std::vector<double> gains = differences(a, b);
  if (gains.size() < confidence.least_blocks) {
    return {};
  }
  for (double& gain : gains) {
    gain *= sign;
  }
  const Estimate known = estimate(gains);
  const Interval interval = *interval_of(known, confidence.family);
  return {interval.low > 0 && known.mean > confidence.least_log_effect, interval.low > -confidence.log_margin};
}

bool dominates(const Candidate& a, const Candidate& b) {
  const double speed = a.throughput.log_ratio - b.throughput.log_ratio;
  const double size = a.peak_rss.log_ratio - b.peak_rss.log_ratio;
  return speed >= 0 && size <= 0 && (speed > 0 || size < 0);
}

double lead(const Candidate& a, const Candidate& b) {
  return (a.throughput.log_ratio - b.throughput.log_ratio) -
         (a.peak_rss.log_ratio - b.peak_rss.log_ratio);
}

bool shown_to_dominate(const Candidate& a, const Candidate& b, const Confidence& confidence) {
  const Relation speed = relation(a.throughput, b.throughput, 1, confidence);
  const Relation size = relation(a.peak_rss, b.peak_rss, -1, confidence);
  return dominates(a, b) && ((speed.better && size.not_worse) || (size.better && speed.not_worse));
}

bool shown_to_differ(const Candidate& a, const Candidate& b, const Confidence& confidence) {
  return relation(a.throughput, b.throughput, 1, confidence).better ||
         relation(a.peak_rss, b.peak_rss, -1, confidence).better;
}

// The rival that decides where `self` stands, or nullptr.
const Candidate* deciding_rival(const Candidate& self, std::span<const Candidate> all,
                                const Confidence& confidence, bool on_front) {
  const Candidate* rival = nullptr;
  for (const Candidate& other : all) {
    const bool counts = &other != &self && (on_front ? !shown_to_differ(self, other, confidence)
                                                     : dominates(other, self));
    if (counts && (rival == nullptr || lead(other, self) > lead(*rival, self))) {
      rival = &other;
    }
  }
  return rival;
}

ParetoPoint point_of(const Candidate& self, std::span<const Candidate> all,
                     const Confidence& confidence) {
  ParetoPoint point;
  point.allocator = self.name;
  Figure one;
  for (const auto& [block, value] : self.throughput.blocks) {
    one.blocks[block] = 0;
  }
  for (const auto& [block, value] : self.peak_rss.blocks) {
    one.blocks[block] = 0;
  }
  point.throughput = quotient(self.throughput, one, confidence.alone);
  point.peak_rss = quotient(self.peak_rss, one, confidence.alone);
  point.on_front =
      std::ranges::none_of(all, [&](const Candidate& other) { return dominates(other, self); });
  const Candidate* rival = deciding_rival(self, all, confidence, point.on_front);
  point.shown =
      point.on_front ? rival == nullptr : std::ranges::any_of(all, [&](const Candidate& other) {
        return shown_to_dominate(other, self, confidence);
      });
  if (rival != nullptr) {
    point.rival = rival->name;
    point.rival_throughput = quotient(rival->throughput, self.throughput, confidence.alone);
    point.rival_peak_rss = quotient(rival->peak_rss, self.peak_rss, confidence.alone);
  }
  return point;
}

std::string times(const Quotient& quotient) {
  if (!quotient.interval) {
    return fmt::format("{:.2f}", quotient.ratio);
  }
  return fmt::format("{:.2f} ({:.2f} to {:.2f})", quotient.ratio, quotient.interval->low,
                     quotient.interval->high);
}

// "30 families", or "12 families for throughput, 9 for peak RSS" where some have no ratio of one of them.
std::string families_text(const ParetoFront& front) {
  const char* word = front.throughput_families == 1 ? "family" : "families";
  return front.throughput_families == front.peak_rss_families
             ? fmt::format("{} {}", front.throughput_families, word)
             : fmt::format("{} {} for throughput, {} for peak RSS", front.throughput_families, word, front.peak_rss_families);
}

std::string headline(const ParetoFront& front) {
  std::string on;
  for (const ParetoPoint& point : front.points) {
    if (point.on_front) {
      on += (on.empty() ? "" : ", ") + point.allocator + (point.shown ? "" : " (not shown)");
    }
  }
  return fmt::format(
      "{}: on the throughput-RSS front of {} allocators, where no other is both faster and leaner: {}. "
      "Geometric means over {}, {} block{}; ratios with 95 % intervals.",
      to_string(front.kind), front.points.size(), on, families_text(front), front.blocks, front.blocks == 1 ? "" : "s");
}

std::string standing(const ParetoFront& front, const ParetoPoint& point) {
  const std::string figures =
      point.allocator == front.baseline
          ? point.allocator + " is the baseline"
          : fmt::format("{} has {} times the throughput of {} and {} times its peak RSS",
                        point.allocator, times(point.throughput), front.baseline,
                        times(point.peak_rss));
  if (point.rival.empty()) {
    return figures + "; on the front, shown against every other.";
  }
  const std::string rival =
      fmt::format("{} has {} times its throughput and {} times its peak RSS", point.rival,
                  times(point.rival_throughput), times(point.rival_peak_rss));
  if (point.on_front) {
    return fmt::format("{}; on the front, but this is not shown: {}.", figures, rival);
  }
  return fmt::format("{}; off the front{}: {}.", figures,
                     point.shown ? ", shown" : ", though this is not shown", rival);
}

}  // namespace

std::optional<ParetoFront> pareto_front(Kind kind, std::span<const GeometricMean> all_means,
                                        std::span<const std::string> candidates,
                                        std::string_view baseline, const SummaryOptions& options) {
  std::vector<GeometricMean> means;
  std::ranges::copy_if(all_means, std::back_inserter(means), [kind](const GeometricMean& mean) { return mean.kind == kind; });
  ParetoFront front;
  front.kind = kind;
  front.baseline = baseline;
  front.blocks = std::numeric_limits<int>::max();
  std::vector<Candidate> all;
  for (const std::string& name : candidates) {
    const GeometricMean* speed = find(means, "throughput", name);
    const GeometricMean* size = find(means, "peak_rss", name);
    if (speed == nullptr || size == nullptr) {
      continue;
    }
    all.push_back({name, figure_of(means, *speed, baseline), figure_of(means, *size, baseline)});
    const auto blocks =
        std::min(all.back().throughput.blocks.size(), all.back().peak_rss.blocks.size());
    front.throughput_families = speed->families;
    front.peak_rss_families = size->families;
    front.blocks = std::min(front.blocks, static_cast<int>(blocks));
  }
  if (all.size() < 2) {
    return std::nullopt;
  }
  const auto comparisons = static_cast<double>(all.size() * (all.size() - 1));
  const Confidence confidence{options.confidence, 1 - (1 - options.confidence) / comparisons,
                              options.least_log_effect(), std::log1p(options.margin),
                              static_cast<std::size_t>(options.verdict_blocks)};
  for (const Candidate& candidate : all) {
    front.points.push_back(point_of(candidate, all, confidence));
  }
  std::ranges::stable_sort(front.points, std::ranges::greater{},
                           [](const ParetoPoint& point) { return point.throughput.ratio; });
  return front;
}

std::vector<std::string> sentences(const ParetoFront& front) {
  std::vector<std::string> text{headline(front)};
  for (const ParetoPoint& point : front.points) {
    text.push_back(standing(front, point));
  }
  return text;
}

}  // namespace bench

// Which allocators are on the throughput-RSS front: those that no other beats in both at once. And
// how surely.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/stats/geometric_mean.hpp"
#include "bench/stats/interval.hpp"
#include "bench/stats/summary.hpp"

namespace bench {

// One allocator's figure over another's.
struct Quotient {
  double ratio = 1;
  std::optional<Interval> interval;  // 95 %, over blocks; none for fewer than 2
};

struct ParetoPoint {
  std::string allocator;
  Quotient throughput;    // to the baseline
  Quotient peak_rss;      // to the baseline
  bool on_front = false;  // by the geometric means
  // Whether on_front is shown: by simultaneous intervals over all pairs of candidates and both
  // figures (Bonferroni), effects above half the margin, and at least verdict_blocks blocks. Off the
  // front is shown if a rival is shown to be better in one figure and shown not to be worse in the
  // other: by its interval, by less than the margin. On it, if this one is shown to be better than
  // every rival in one figure or the other.
  bool shown = false;
  // Off the front: the rival that beats it by most. On it, but not shown: the rival that it is not
  // shown to differ from. Else empty.
  std::string rival;
  Quotient rival_throughput;  // the rival's figure over this one's
  Quotient rival_peak_rss;
};

struct ParetoFront {
  Kind kind = Kind::kSynthetic;
  std::string baseline;
  int throughput_families = 0;  // that the geometric means stand on
  int peak_rss_families = 0;
  int blocks = 0;                   // likewise
  std::vector<ParetoPoint> points;  // by falling throughput
};

// Over the workloads of one kind, of those candidates that have both figures. None if fewer than two have.
std::optional<ParetoFront> pareto_front(Kind kind, std::span<const GeometricMean> means,
                                        std::span<const std::string> candidates,
                                        std::string_view baseline,
                                        const SummaryOptions& options = {});

// The answer in words: one sentence on who is on the front, then one on each candidate.
std::vector<std::string> sentences(const ParetoFront& front);

}  // namespace bench

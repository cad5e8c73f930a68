#include "bench/advise/advice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "bench/advise/rows.hpp"
#include "bench/output/grid.hpp"
#include "bench/output/number.hpp"
#include "bench/run/progress.hpp"
#include "bench/stats/verdict.hpp"

namespace bench {
namespace {

constexpr std::size_t kWidth = 80;
constexpr double kShortS = 0.5;  // a program that ends sooner is all start

std::string bytes_text(double bytes) { return quantity(bytes, "bytes"); }

// Of Summary::verdict: better, worse, the same, not decided.
char mark_of(const Summary& row) {
  switch (row.verdict) {
    case Verdict::kUndecided:
      return '?';
    case Verdict::kSame:
      return '=';
    case Verdict::kHigher:
    case Verdict::kLower:
      return judgement(row) == Judgement::kBetter ? '+' : '-';
    case Verdict::kNone:
      break;
  }
  return ' ';
}

std::string change_text(const Summary& row) {
  const double change = (*row.ratio - 1) * 100;
  std::string text = fmt::format("{:+.1f}", change);
  if (row.ratio_interval) {
    text += fmt::format(" ±{:.1f}", (row.ratio_interval->high - row.ratio_interval->low) * 50);
  }
  return fmt::format("{} {}", text, mark_of(row));
}

std::string cell_text(const Findings& findings, const std::string& allocator, std::string_view metric) {
  const Summary* row = row_of(findings.report, allocator, metric);
  if (row == nullptr) {
    return "";
  }
  if (row->status != Status::kOk) {
    return std::string(to_string(row->status));
  }
  if (allocator == findings.report.facts.baseline) {
    return row->median ? quantity(*row->median, findings.has_metric && row->metric == "throughput" ? "" : row->unit) : "";
  }
  return row->ratio ? change_text(*row) : "";
}

// The CPU time of the calls, as a share of the program's under the same allocator; of the recorded time for a trace.
std::optional<double> share_in_allocator(const Findings& findings, const TraceCost& cost) {
  const Summary* cpu = row_of(findings.report, cost.allocator, "cpu_time");
  const bool has_cpu = cpu != nullptr && cpu->median && *cpu->median > 0;
  const double whole_s = findings.is_trace ? findings.trace_s : has_cpu ? *cpu->median * findings.recorded_share : 0;
  return cost.failure.empty() && cost.calls > 0 && whole_s > 0 ? std::optional(std::min(cost.cpu_s / whole_s, 1.0)) : std::nullopt;
}

const TraceCost* cost_of(const Findings& findings, const std::string& allocator) {
  const auto found = std::ranges::find(findings.costs, allocator, &TraceCost::allocator);
  return found != findings.costs.end() && found->failure.empty() && found->calls > 0 ? &*found : nullptr;
}

std::string figures_table(const Findings& findings) {
  const auto right = [](std::string text) { return GridCell{std::move(text)}; };
  std::vector<GridRow> rows{{{"", Align::kLeft}}};
  for (const std::string_view metric : kept_metrics(findings)) {
    rows[0].push_back(right(std::string(metric_title(findings, metric))));
  }
  rows[0].push_back(right("in malloc"));
  for (const std::string& allocator : findings.report.facts.allocators) {
    GridRow row{{allocator, Align::kLeft}};
    for (const std::string_view metric : kept_metrics(findings)) {
      row.push_back(right(cell_text(findings, allocator, metric)));
    }
    const TraceCost* cost = cost_of(findings, allocator);
    const auto share = cost != nullptr ? share_in_allocator(findings, *cost) : std::nullopt;
    row.push_back(right(share ? fmt::format("{:.0f} %", *share * 100) : ""));
    rows.push_back(std::move(row));
  }
  return render_grid(rows, false) + wrapped(fmt::format("in % of {}'s, ± half of the 95 % interval; + better, - worse, = the same within {:g} %, ? not decided",
                                                        findings.report.facts.baseline, findings.report.facts.margin * 100), 0, kWidth);
}

std::string share_line(const Findings& findings) {
  const std::string& baseline = findings.report.facts.baseline;
  const TraceCost* cost = cost_of(findings, baseline);
  const auto share = cost != nullptr ? share_in_allocator(findings, *cost) : std::nullopt;
  if (!share) {
    return findings.why_not_recorded.empty() ? "" : wrapped("Not recorded: " + findings.why_not_recorded, 0, kWidth);
  }
  return wrapped(fmt::format("In malloc: {:.0f} % of the {} under {}: {} for {} calls and the first writes to their pages, by replaying them.{}",
                             *share * 100, findings.is_trace ? "recorded time" : "CPU time", baseline, quantity(cost->cpu_s, "s"),
                             three_digits(static_cast<double>(cost->calls)),
                             findings.recorded_share < 0.99 ? fmt::format(" Recorded: its first {:.0f} %.", findings.recorded_share * 100) : ""), 0, kWidth);
}

// Parts of the peak under one allocator, in bytes.
struct Parts {
  double live = 0;
  double rounding = 0;
  double free = 0;
  double own = 0;  // below 0: the replay writes to pages that the program leaves alone
};

std::optional<Parts> parts_of(const Findings& findings, const std::string& allocator) {
  const TraceCost* cost = cost_of(findings, allocator);
  const Summary* peak = row_of(findings.report, allocator, "peak_rss");
  if (cost == nullptr || (!findings.is_trace && (peak == nullptr || !peak->median))) {
    return std::nullopt;
  }
  const auto held = static_cast<double>(cost->peak_rss_bytes);
  const auto live = static_cast<double>(cost->live_bytes);
  const auto usable = static_cast<double>(cost->usable_bytes);
  return Parts{live, usable - live, std::max(held - usable, 0.0), findings.is_trace ? 0 : *peak->median - std::max(held, usable)};
}

std::string parts_table(const Findings& findings) {
  std::vector<GridRow> rows{{{"Peak RSS is", Align::kLeft}},
                            {{"live bytes, as asked for", Align::kLeft}},
                            {{"sizes rounded up", Align::kLeft}},
                            {{"free in the allocator", Align::kLeft}},
                            {{"all else: code, stacks, maps", Align::kLeft}}};
  bool is_unwritten = false;
  for (const std::string& allocator : findings.report.facts.allocators) {
    if (const auto parts = parts_of(findings, allocator)) {
      is_unwritten = is_unwritten || parts->own < 0;
      rows[0].push_back({allocator});
      rows[1].push_back({bytes_text(parts->live)});
      rows[2].push_back({bytes_text(parts->rounding)});
      rows[3].push_back({bytes_text(parts->free)});
      rows[4].push_back({parts->own >= 0 ? bytes_text(parts->own) : "-" + bytes_text(-parts->own)});
    }
  }
  if (rows[0].size() == 1) {
    return "";
  }
  if (findings.is_trace) {
    rows.pop_back();
  }
  return render_grid(rows, false) + (is_unwritten ? wrapped("Below 0: the program never wrote to all that it asked for.", 0, kWidth) : "");
}

std::string trend_text(const Trend& trend) { return fmt::format("{} to {}", bytes_text(trend.second_bytes), bytes_text(trend.fourth_bytes)); }

// Who is level, who fragments; by the program's live bytes.
std::string growth_by_allocator(const Findings& findings) {
  std::vector<std::string> fragments;
  std::vector<std::string> level;
  for (const auto& [allocator, trend] : findings.resident) {
    if (growth_of(trend, *findings.live) == Growth::kFragmentation) {
      fragments.push_back(fmt::format("{} ({})", allocator, trend_text(trend)));
    } else {
      level.push_back(allocator);
    }
  }
  if (fragments.empty()) {
    return "";
  }
  return fmt::format("fragmentation: live bytes are level ({}), but RSS grows under {}{}", trend_text(*findings.live), fmt::join(fragments, ", "),
                     level.empty() ? "" : fmt::format("; not under {}", fmt::join(level, ", ")));
}

std::string live_growth(const Findings& findings) {
  const bool is_freed = findings.live_at_end_bytes < findings.live->fourth_bytes / 10;
  return fmt::format("live bytes grow, {}; {}", trend_text(*findings.live),
                     is_freed ? "all but a little is freed at the end: data that it keeps, which no allocator makes less"
                              : fmt::format("{} are live at the end: a leak, or data that it keeps; no allocator makes that less",
                                            bytes_text(findings.live_at_end_bytes)));
}

std::string growth_line(const Findings& findings) {
  const Summary* wall = row_of(findings.report, findings.report.facts.baseline, "wall_time");
  const bool is_short = !findings.is_trace && wall != nullptr && wall->median.value_or(0) < kShortS;
  std::string text;
  if (!findings.live || is_short) {
    text = findings.costs.empty() ? "not recorded" : findings.recorded_share < 1 ? "only part of it was recorded: a larger --budget records more"
                                  : "too short a run to tell whether it grows";
  } else if (findings.live->grows()) {
    text = live_growth(findings);
  } else if (const std::string fragments = growth_by_allocator(findings); !fragments.empty()) {
    text = fragments;
  } else {
    text = fmt::format("level: live bytes {} from its second quarter to its fourth{}", trend_text(*findings.live),
                       findings.resident.empty() ? "" : ", and no RSS grows");
  }
  return wrapped("Memory over time: " + text + ".", 0, kWidth);
}

std::string price_line(const Findings& findings) {
  const auto lines = price_lines(findings.report);
  if (lines.empty()) {
    return "";
  }
  const auto colon = lines.front().find(": ");
  return wrapped("Cheapest, by the memory that costs as much as a CPU (no test behind it): " + lines.front().substr(colon == std::string::npos ? 0 : colon + 2), 0, kWidth);
}

std::string head(const Findings& findings) {
  const std::size_t subjects = findings.report.facts.allocators.size();
  std::string command = findings.command;
  if (command.size() > kWidth) {
    command = command.substr(0, kWidth - 4) + " ...";
  }
  return command + "\n" + wrapped(fmt::format("{} allocator{} side by side, {} block{}, in {}", subjects, subjects == 1 ? "" : "s", findings.blocks,
                                              findings.blocks == 1 ? "" : "s", format_duration(findings.took_s)), 0, kWidth) + "\n";
}

}  // namespace

Report with_cpu_time(Report report) {
  std::vector<Sample> samples = report.samples;
  for (const Sample& user : report.samples) {
    if (user.metric != "user_time" || !user.value) {
      continue;
    }
    const auto system = std::ranges::find_if(report.samples, [&](const Sample& other) {
      return other.metric == "system_time" && other.block == user.block && other.allocator == user.allocator && other.workload == user.workload &&
             other.threads == user.threads && other.value.has_value();
    });
    if (system != report.samples.end()) {
      Sample sum = user;
      sum.metric = "cpu_time";
      sum.value = *user.value + *system->value;
      sum.log_ratio.reset();
      samples.push_back(std::move(sum));
    }
  }
  return digest(std::move(report.facts), std::move(samples));
}

const Summary* row_of(const Report& report, std::string_view allocator, std::string_view metric) {
  for (const Summary& row : report.summaries) {
    if (row.allocator == allocator && row.metric == metric) {
      return &row;
    }
  }
  return nullptr;
}

std::string_view metric_title(const Findings& findings, std::string_view metric) {
  if (metric == "throughput") {
    return findings.is_trace ? "calls a second" : "throughput";
  }
  return metric == "wall_time" ? "time" : metric == "cpu_time" ? "CPU time" : metric == "peak_rss" ? "peak RSS" : "mean RSS";
}

std::string render_advice(const Findings& findings) {
  const Recommendation recommendation = recommend(findings);
  std::string text = head(findings) + figures_table(findings) + share_line(findings) + "\n";
  if (const std::string parts = parts_table(findings); !parts.empty()) {
    text += parts + "\n";
  }
  text += growth_line(findings) + price_line(findings);
  text += "\n" + wrapped(recommendation.sentence, 0, kWidth);
  return text + usage_lines(findings, recommendation.winner);
}

}  // namespace bench

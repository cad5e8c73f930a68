// report.md: the whole run for a reader who was not there. What came out, how it was measured,
// where, and what to doubt.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bench/output/format.hpp"
#include "bench/output/index.hpp"
#include "bench/output/number.hpp"
#include "bench/model/metric.hpp"
#include "bench/stats/pareto.hpp"

namespace bench {
namespace {

// Text from outside inside a table cell or a line: no markup, no new column, no new line.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      result += ' ';
      continue;
    }
    if (std::string_view("\\`*_|<>").find(c) != std::string_view::npos) {
      result += '\\';
    }
    result += c;
  }
  return result;
}

std::string interval_text(const std::optional<Interval>& interval) {
  return interval
             ? fmt::format(" ({} to {})", ratio_text(interval->low), ratio_text(interval->high))
             : "";
}

std::string ratio_with_interval(const std::optional<double>& ratio,
                                const std::optional<Interval>& interval) {
  return ratio ? ratio_text(*ratio) + interval_text(interval) : "-";
}

std::string verdict_text(const Summary& row) {
  const std::string word(verdict_word(row));
  if (judgement(row) == Judgement::kNeither) {
    return word.empty() ? word : ", " + word;
  }
  return judgement(row) == Judgement::kBetter ? ", **" + word + "**" : ", *" + word + "*";
}

std::string subject_text(const Summary* row) {
  if (row == nullptr) {
    return "-";
  }
  if (row->status != Status::kOk) {
    return fmt::format("**{}**", to_string(row->status));
  }
  if (row->ratio) {
    const bool open = row->verdict == Verdict::kUndecided && row->detectable;
    return ratio_with_interval(row->ratio, row->ratio_interval) + verdict_text(*row) +
           (open ? fmt::format(" (would have seen {} %)", three_digits(100 * *row->detectable)) : "");
  }
  return row->median ? quantity(*row->median, row->unit) + ", no ratio" : "-";
}

std::string baseline_text(const Summary* row) {
  if (row == nullptr || (row->status == Status::kOk && !row->median)) {
    return "-";
  }
  return row->status == Status::kOk ? quantity(*row->median, row->unit)
                                    : fmt::format("**{}**", to_string(row->status));
}

std::string direction_text(Direction direction) {
  switch (direction) {
    case Direction::kHigherIsBetter:
      return "higher is better";
    case Direction::kLowerIsBetter:
      return "lower is better";
    case Direction::kNeither:
      return "neither direction is better";
  }
  return "";
}

std::vector<std::string> subjects_of(const Report& report) {
  std::vector<std::string> subjects = report.facts.allocators;
  std::erase(subjects, report.facts.baseline);
  return subjects;
}

std::string table_head(const Report& report, const std::vector<std::string>& subjects) {
  std::string head = fmt::format("| workload | threads | {} |", escaped(report.facts.baseline));
  std::string rule = "|---|---:|---:|";
  for (const std::string& subject : subjects) {
    head += fmt::format(" {} |", escaped(subject));
    rule += "---:|";
  }
  return head + '\n' + rule + '\n';
}

std::string mean_line(Kind kind, std::string_view metric, const Report& report, const Index& index,
                      const std::vector<std::string>& subjects) {
  const GeometricMean& base = *index.mean(kind, metric, report.facts.baseline);
  const std::string left_out =
      base.left_out.empty() ? "" : fmt::format(" ({} cells left out)", base.left_out.size());
  std::string line = fmt::format("| **{}, mean of {} {}**{} | | 1 |", to_string(kind), base.families,
                                 base.families == 1 ? "family" : "families", left_out);
  for (const std::string& subject : subjects) {
    const GeometricMean* mean = index.mean(kind, metric, subject);
    line += fmt::format(" {} |",
                        mean == nullptr ? "-" : ratio_with_interval(mean->ratio, mean->interval));
  }
  return line + '\n';
}

constexpr std::array kHeadlines{std::string_view("throughput"), std::string_view("first_pass"), std::string_view("peak_rss"),
                                std::string_view("mean_rss"), std::string_view("cost")};

std::string headline_text(const GeometricMean* mean) {
  if (mean == nullptr || !mean->ratio) {
    return "-";
  }
  return ratio_with_interval(mean->ratio, mean->interval) +
         (mean->without ? fmt::format("; {} without {}", ratio_text(mean->without->ratio), escaped(mean->without->family)) : "");
}

// The means of each kind, each with what it is without its most influential family.
std::string headline_section(const Report& report, const Index& index) {
  const std::vector<std::string> subjects = subjects_of(report);
  std::string rows;
  for (const Kind kind : kKinds) {
    for (const std::string_view metric : kHeadlines) {
      const GeometricMean* base = index.mean(kind, metric, report.facts.baseline);
      if (base == nullptr || base->cells == 0) {
        continue;
      }
      rows += fmt::format("| {} | {} | {} |", to_string(kind), metric, base->families);
      for (const std::string& subject : subjects) {
        rows += fmt::format(" {} |", headline_text(index.mean(kind, metric, subject)));
      }
      rows += '\n';
    }
  }
  if (rows.empty() || subjects.empty()) {
    return "";
  }
  std::string head = "| kind | metric | families |";
  std::string rule = "|---|---|---:|";
  for (const std::string& subject : subjects) {
    head += fmt::format(" {} |", escaped(subject));
    rule += "---:|";
  }
  return fmt::format(
      "## By kind\n\nGeometric means of the ratios to {}, with 95 % intervals. A family (one workload at several sizes or thread counts) "
      "has one vote; beside each mean stands what it is without the family that moves it most. Throughput: higher is better; all else: "
      "lower.\n\n{}\n{}\n{}\n",
      escaped(report.facts.baseline), head, rule, rows);
}

std::string price_section(const Report& report) {
  const std::vector<std::string> lines = price_lines(report);
  if (lines.empty()) {
    return "";
  }
  std::string text = fmt::format(
      "## The cheapest, by price\n\ncost = CPU seconds + mean RSS x wall time / price; the price is the memory that costs as much as one "
      "CPU ({} in the figures below).\n\n",
      quantity(report.facts.bytes_per_cpu, "bytes"));
  for (const std::string& line : lines) {
    text += "- " + escaped(line) + '\n';
  }
  text += "\n| workload | threads | cheapest |\n|---|---:|---|\n";
  for (const CellCost& cell : report.costs) {
    text += fmt::format("| {} | {} | {} |\n", escaped(cell.workload), cell.threads, escaped(in_words(cheapest_by_price(cell.lines))));
  }
  return text + '\n';
}

// Figures that say how much work a cell is, equal for everyone: one table for all of them instead
// of ratios of 1.
constexpr std::array kWork{std::string_view("iterations"), std::string_view("operations"),
                           std::string_view("peak_live")};

bool is_work(std::string_view metric) { return std::ranges::find(kWork, metric) != kWork.end(); }

std::string work_section(const Report& report, const Index& index) {
  if (std::ranges::none_of(index.metrics(), is_work)) {
    return "";
  }
  std::string text =
      "### Work of a cell\n\nThe same under every allocator. Peak live: bytes requested and not "
      "yet "
      "freed.\n\n| workload | threads | iterations | operations | peak live "
      "|\n|---|---:|---:|---:|---:|\n";
  for (const CellName& cell : index.cells()) {
    text += fmt::format("| {} | {} |", escaped(cell.workload), cell.threads);
    for (const std::string_view metric : kWork) {
      text +=
          fmt::format(" {} |", baseline_text(index.summary(cell, metric, report.facts.baseline)));
    }
    text += '\n';
  }
  return text + '\n';
}

// The cells of a kind, and their mean where there is more than one.
std::string rows_of_kind(Kind kind, std::string_view metric, const Report& report, const Index& index) {
  const std::vector<std::string> subjects = subjects_of(report);
  std::string text;
  for (const CellName& cell : index.cells()) {
    if (cell.kind != kind) {
      continue;
    }
    const Summary* base = index.summary(cell, metric, report.facts.baseline);
    text += fmt::format("| {} | {} | {} |", escaped(cell.workload), cell.threads, baseline_text(base));
    for (const std::string& subject : subjects) {
      text += fmt::format(" {} |", subject_text(index.summary(cell, metric, subject)));
    }
    text += '\n';
  }
  const GeometricMean* mean = index.mean(kind, metric, report.facts.baseline);
  return text + (mean != nullptr && mean->cells > 1 ? mean_line(kind, metric, report, index, subjects) : "");
}

std::string metric_section(std::string_view metric, const Report& report, const Index& index) {
  const Metric facts = metric_named(metric);
  const std::vector<std::string> subjects = subjects_of(report);
  std::string text = fmt::format("### {}\n\n{}; {}. Ratio to {}, n = {}.\n\n", escaped(metric),
                                 facts.meaning, direction_text(facts.direction),
                                 escaped(report.facts.baseline), index.repetitions(metric));
  if (const std::string seen = detectable_line(report, metric); !seen.empty()) {
    text += seen + ".\n\n";
  }
  text += table_head(report, subjects);
  for (const Kind kind : kKinds) {
    text += rows_of_kind(kind, metric, report, index);
  }
  text += '\n';
  for (const Kind kind : kKinds) {
    const GeometricMean* base = index.mean(kind, metric, report.facts.baseline);
    if (base != nullptr && !base->left_out.empty()) {
      text += fmt::format("Left out of the mean of {}: {}.\n\n", to_string(kind), escaped(left_out_text(*base)));
    }
  }
  if (metric == "fragmentation") {
    text += fmt::format("{}\n\n", kFragmentationNote);
  }
  return text;
}

std::string answer_section(const Report& report) {
  std::string text;
  for (const ParetoFront& front : fronts(report)) {
    for (const std::string& sentence : sentences(front)) {
      text += "- " + escaped(sentence) + '\n';
    }
  }
  return text.empty() ? text : "## In words\n\n" + text + '\n';
}

std::string list_section(std::string_view title, const std::vector<std::string>& lines,
                         std::string_view if_none) {
  std::string text = fmt::format("## {}\n\n", title);
  for (const std::string& line : lines) {
    text += "- " + escaped(line) + '\n';
  }
  return text + (lines.empty() ? std::string(if_none) + '\n' : "") + '\n';
}

std::vector<std::string> warning_lines(const Report& report) {
  std::vector<std::string> lines;
  for (const Warning& warning : report.warnings) {
    lines.push_back(warning.what + ". Remedy: " + warning.remedy + '.');
  }
  return lines;
}

std::string plain(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// One line for each leaf, named by the path to it; the allocators have a table of their own.
void environment_lines(const nlohmann::json& value, const std::string& name, std::string& text) {
  if (name == "allocators") {
    return;
  }
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      environment_lines(inner, name.empty() ? key : name + " " + key, text);
    }
    return;
  }
  text += fmt::format("| {} | {} |\n", escaped(name), escaped(plain(value)));
}

std::string allocator_section(const nlohmann::json& environment) {
  if (!environment.is_object() || !environment.contains("allocators") ||
      !environment["allocators"].is_array()) {
    return "";
  }
  std::string text =
      "### Allocators\n\n| name | version | library | SHA-256 |\n|---|---|---|---|\n";
  for (const nlohmann::json& allocator : environment["allocators"]) {
    const auto field = [&](const char* key) {
      return allocator.is_object() && allocator.contains(key) && !allocator[key].is_null()
                 ? escaped(plain(allocator[key]))
                 : std::string("-");
    };
    text += fmt::format("| {} | {} | {} | {} |\n", field("name"), field("version"),
                        field("library"), field("sha256"));
  }
  return text + '\n';
}

std::string environment_section(const Report& report) {
  std::string text = "## Environment\n\n";
  const nlohmann::json& environment = report.facts.environment;
  if (environment.is_object() && environment.contains("card") && environment["card"].contains("line")) {
    text += "The host's card: " + escaped(plain(environment["card"]["line"])) +
            ". Ratios of work that faults hold for hosts with such costs.\n\n";
  }
  text += "| what | value |\n|---|---|\n";
  environment_lines(report.facts.environment, "", text);
  return text + '\n' + allocator_section(report.facts.environment);
}

std::string looks_text(const Looks& looks) {
  return looks.count == 1 ? ""
                          : fmt::format(" Undecided cells were measured again, up to {} looks; each may err as rarely as all together may, "
                                        "and intervals are wider for it.",
                                        looks.count);
}

std::string method_section(const Report& report) {
  return fmt::format(
      R"(## Method

- Each figure comes from a fresh process with the allocator as its malloc. A block runs every allocator once in every cell, in an order drawn
  from seed {0}; {1} block{2} asked for.
- Equal work: a cell's iteration count is calibrated once under {3}, to {7} s, and is the same for every allocator and block.
- A ratio is the figure over the baseline's of the same block, where possible from slices that lie next to each other in time; shown is exp
  of the mean logarithm over blocks, with its 95 % Student's t interval. What the candidates' cells have in common in their scatter counts
  with a cell's own (moderated t). One repetition has no interval.
- Verdicts, among candidates: a word of difference (p below 0.05 after Benjamini's and Hochberg's correction, both over all ratios of that
  metric and over all that is told of that allocator, and a difference above {4:g} %), "same" (shown to be within {5:g} %, corrected over that metric, and
  the interval includes 1), or "not decided". Fewer than 5
  blocks decide nothing.{6}
- Peak RSS is VmHWM less what was resident before the workload started, with all code mapped in. Where VmHWM might miss 2 % of it, the run is
  repeated, and resident memory is counted before each call that may take some away. Where the baseline's is below 64 KiB, one page
  more or less decides, and no ratio is formed. Fragmentation is peak RSS over the peak of live bytes requested.
- A cell with any failed repetition has no figure. Means are geometric, over the cells that every allocator completed, each kind by itself.
- Raw figures: samples.csv. Digest: summary.csv, where low and high are the distribution-free 95 % interval of the median (smallest and
  largest below 6 repetitions). Google Benchmark's format: benchmark.json.
)",
      report.facts.seed, report.facts.repetitions, report.facts.repetitions == 1 ? "" : "s",
      escaped(report.facts.baseline), 50 * report.facts.margin, 100 * report.facts.margin, looks_text(report.facts.looks),
      three_digits(report.facts.min_time_s));
}

std::string title(const Report& report) {
  std::string others;
  for (const std::string& subject : subjects_of(report)) {
    others += (others.empty() ? "" : ", ") + escaped(subject);
  }
  std::string text = fmt::format("# {} against {}\n\n", others.empty() ? "Figures" : others,
                                 escaped(report.facts.baseline));
  if (!report.facts.command.empty()) {
    text += fmt::format("    {}\n\n", report.facts.command);
  }
  if (!report.facts.suite.empty()) {
    text += fmt::format("Suite: {}. ", escaped(report.facts.suite));
  }
  return text + (report.facts.cut_off
                     ? "**The run was cut off: cells and repetitions are missing.**\n\n"
                     : "The run is complete.\n\n");
}

}  // namespace

std::string render_markdown(const Report& report, const Style& /*style*/) {
  const Index index(report);
  std::string text = title(report) + headline_section(report, index) + answer_section(report) + price_section(report);
  text += list_section("Failures", failure_lines(report), "None: every cell was measured.");
  text += list_section("Warnings", warning_lines(report), "None.");
  text += "## Figures\n\n";
  for (const std::string& metric : index.metrics()) {
    text += is_work(metric) ? "" : metric_section(metric, report, index);
  }
  text += work_section(report, index);
  return text + environment_section(report) + method_section(report);
}

}  // namespace bench

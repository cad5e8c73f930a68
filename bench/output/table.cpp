// The console table: one part for speed, one for memory, a row a cell, a column an allocator,
// ratios to the baseline throughout.
//
//   workload  threads     glibc        osmem      jemalloc
//   pair            1  45.2 M/s  1.85 ±0.05 +  0.91 ±0.02 -
//
// The mark after a ratio is the verdict: better, worse, indistinguishable or only indicative. It
// means the same in both parts, although more is better in one and less in the other. A part that
// is too wide for the terminal leaves out the intervals; if it is still too wide its allocators are
// spread over several tables.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/output/format.hpp"
#include "bench/output/grid.hpp"
#include "bench/output/index.hpp"
#include "bench/output/number.hpp"
#include "bench/model/metric.hpp"
#include "bench/stats/pareto.hpp"

namespace bench {
namespace {

// What one part of the table shows: ratios of one metric, and beside them the figures of another if
// it has a name.
struct Part {
  std::string_view metric;
  std::string_view beside;
  std::string title;
  std::string note;  // below the table; may be empty
};

enum class Intervals { kShown, kLeftOut };

// Everything that laying out needs. Refers to the report.
struct Layout {
  const Report& report;
  const Index& index;
  const Style& style;
  Intervals intervals;
  std::size_t interval_width;  // of the widest text of an interval
};

char mark_of(const Summary& row) {
  switch (row.verdict) {
    case Verdict::kNone:
      return ' ';
    case Verdict::kIndicative:
      return '~';
    case Verdict::kIndistinguishable:
      return '=';
    case Verdict::kHigher:
    case Verdict::kLower:
      break;
  }
  return judgement(row) == Judgement::kBetter ? '+' : '-';
}

// "±0.05": the wider side of the interval, with the decimals of the ratio. Where that is more than
// half of the ratio the sides differ too much for one figure: "0.57-3.69".
std::string interval_text(double ratio, const std::optional<Interval>& interval,
                          const Style& style) {
  if (!interval) {
    return "";
  }
  const double half = std::max(interval->high - ratio, ratio - interval->low);
  if (half > ratio / 2) {
    return fmt::format("{}-{}", ratio_text(interval->low), ratio_text(interval->high));
  }
  const std::string shown = ratio_text(ratio);
  const auto point = shown.find('.');
  const std::size_t decimals = point == std::string::npos ? 0 : shown.size() - point - 1;
  return fmt::format("{}{:.{}f}", style.utf8 ? "\u00b1" : "+-", half, decimals);
}

std::string left_aligned(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, display_width(text)), ' ');
}

std::string ratio_cell(double ratio, const std::optional<Interval>& interval, char mark,
                       const Layout& layout) {
  std::string text = ratio_text(ratio);
  if (layout.intervals == Intervals::kShown) {
    text += ' ' + left_aligned(interval_text(ratio, interval, layout.style), layout.interval_width);
  }
  return fmt::format("{} {}", text, mark);
}

GridCell failure_cell(const Summary& row) {
  return {std::string(to_string(row.status)) + "  ", Align::kRight, Paint::kFailure};
}

// A ratio, a failure in its place, the figure itself in brackets where there is nothing to compare
// it with, or "-".
GridCell subject_cell(const Summary* row, Paint paint, const Layout& layout) {
  if (row == nullptr) {
    return {"-  ", Align::kRight, Paint::kFaint};
  }
  if (row->status != Status::kOk) {
    return failure_cell(*row);
  }
  if (row->ratio) {
    return {ratio_cell(*row->ratio, row->ratio_interval, mark_of(*row), layout), Align::kRight,
            paint};
  }
  return {row->median ? fmt::format("({})  ", quantity(*row->median, row->unit)) : "-  "};
}

// The figure of one allocator without comparison.
GridCell baseline_cell(const Summary* row) {
  if (row == nullptr || (row->status == Status::kOk && !row->median)) {
    return {"-", Align::kRight, Paint::kFaint};
  }
  if (row->status != Status::kOk) {
    return {std::string(to_string(row->status)), Align::kRight, Paint::kFailure};
  }
  return {quantity(*row->median, row->unit)};
}

// The figure of the metric beside; the column before it says what failed.
GridCell figure_beside(const Summary* row) {
  if (row == nullptr || !row->median) {
    return {"-", Align::kRight, Paint::kFaint};
  }
  return {row->unit == "1" ? ratio_text(*row->median) : quantity(*row->median, row->unit)};
}

bool is_reference(const Report& report, const std::string& allocator) {
  return std::ranges::find(report.facts.references, allocator) != report.facts.references.end();
}

// The allocator with the best figure of a row, references left out; "" if nobody has one.
std::string_view best_of(const Layout& layout, const CellName& cell, std::string_view metric) {
  const bool more = metric_named(metric).direction == Direction::kHigherIsBetter;
  std::string_view best;
  double best_figure =
      more ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  for (const std::string& allocator : layout.report.facts.allocators) {
    const Summary* row = layout.index.summary(cell, metric, allocator);
    if (row == nullptr || !row->median || is_reference(layout.report, allocator)) {
      continue;
    }
    if (more ? *row->median > best_figure : *row->median < best_figure) {
      best = allocator;
      best_figure = *row->median;
    }
  }
  return best;
}

GridRow heading(const Part& part, std::span<const std::string> subjects, const Layout& layout) {
  GridRow row{{"workload", Align::kLeft, Paint::kHeading},
              {"threads", Align::kRight, Paint::kHeading},
              {layout.report.facts.baseline, Align::kRight, Paint::kHeading}};
  if (!part.beside.empty()) {
    row.push_back({"frag", Align::kRight, Paint::kHeading});
  }
  for (const std::string& subject : subjects) {
    row.push_back({subject + (part.beside.empty() ? "  " : ""), Align::kRight, Paint::kHeading});
    if (!part.beside.empty()) {
      row.push_back({"frag", Align::kRight, Paint::kHeading});
    }
  }
  return row;
}

bool above_cpus(const Report& report, int threads) {
  const auto cpu = report.facts.environment.find("cpu");
  if (cpu == report.facts.environment.end() || !cpu->is_object()) {
    return false;
  }
  const int count = cpu->value("count", 0);
  return count > 0 && threads > count;
}

GridRow cell_row(const Part& part, const CellName& cell, std::span<const std::string> subjects,
                 const Layout& layout) {
  const std::string& baseline = layout.report.facts.baseline;
  const std::string_view best = best_of(layout, cell, part.metric);
  const char* too_many = above_cpus(layout.report, cell.threads) ? "!" : "";
  GridRow row{{cell.workload, Align::kLeft}, {fmt::format("{}{}", cell.threads, too_many)}};
  row.push_back(baseline_cell(layout.index.summary(cell, part.metric, baseline)));
  if (best == baseline) {
    row.back().paint = Paint::kBest;
  }
  if (!part.beside.empty()) {
    row.push_back(figure_beside(layout.index.summary(cell, part.beside, baseline)));
  }
  for (const std::string& subject : subjects) {
    row.push_back(subject_cell(layout.index.summary(cell, part.metric, subject),
                               best == subject ? Paint::kBest : Paint::kPlain, layout));
    if (!part.beside.empty()) {
      row.push_back(figure_beside(layout.index.summary(cell, part.beside, subject)));
    }
  }
  return row;
}

// Geometric means of the ratios; those of the metric beside are not ratios to anything and have
// none.
GridRow mean_row(const Part& part, std::span<const std::string> subjects, const Layout& layout) {
  const GeometricMean* base = layout.index.mean(part.metric, layout.report.facts.baseline);
  GridRow row{
      {"geometric mean", Align::kLeft, Paint::kHeading},
      {base == nullptr ? "" : fmt::format("{} cell{}", base->cells, base->cells == 1 ? "" : "s")},
      {"1"}};
  if (!part.beside.empty()) {
    row.push_back({""});
  }
  for (const std::string& subject : subjects) {
    const GeometricMean* mean = layout.index.mean(part.metric, subject);
    row.push_back(mean != nullptr && mean->ratio
                      ? GridCell{ratio_cell(*mean->ratio, mean->interval, ' ', layout),
                                 Align::kRight, Paint::kHeading}
                      : GridCell{"-  "});
    if (!part.beside.empty()) {
      row.push_back({""});
    }
  }
  return row;
}

std::vector<GridRow> rows_of(const Part& part, std::span<const std::string> subjects,
                             const Layout& layout) {
  std::vector<GridRow> rows{heading(part, subjects, layout)};
  for (const CellName& cell : layout.index.cells()) {
    rows.push_back(cell_row(part, cell, subjects, layout));
  }
  if (!subjects.empty()) {
    rows.push_back(mean_row(part, subjects, layout));
  }
  return rows;
}

// As many allocators in a table as fit; at least one.
std::string render_in_pieces(const Part& part, std::span<const std::string> subjects,
                             const Layout& layout) {
  std::size_t count = subjects.size();
  while (count > 1 && grid_width(rows_of(part, subjects.first(count), layout)) >
                          static_cast<std::size_t>(layout.style.width)) {
    --count;
  }
  std::string text = render_grid(rows_of(part, subjects.first(count), layout), layout.style.colour);
  if (count < subjects.size()) {
    text += '\n' + render_in_pieces(part, subjects.subspan(count), layout);
  }
  return text;
}

std::size_t widest_interval(const Part& part, const Report& report, const Style& style) {
  std::size_t widest = 0;
  for (const Summary& row : report.summaries) {
    if (row.metric == part.metric && row.ratio) {
      widest =
          std::max(widest, display_width(interval_text(*row.ratio, row.ratio_interval, style)));
    }
  }
  return widest;
}

std::string render_part(const Part& part, const Report& report, const Index& index,
                        const Style& style) {
  std::vector<std::string> subjects;
  for (const std::string& allocator : report.facts.allocators) {
    if (allocator != report.facts.baseline) {
      subjects.push_back(allocator);
    }
  }
  Layout layout{report, index, style, Intervals::kShown, widest_interval(part, report, style)};
  const auto width = static_cast<std::size_t>(style.width);
  if (grid_width(rows_of(part, subjects, layout)) > width) {
    layout.intervals = Intervals::kLeftOut;
  }
  std::string text = painted(part.title, Paint::kHeading, style.colour) + "\n";
  text += fmt::format(
      "ratio to {}, whose own figure comes first; n = {}{}\n", report.facts.baseline,
      index.repetitions(part.metric),
      layout.intervals == Intervals::kShown
          ? fmt::format(
                "; {} half of the 95 % interval (its wider side), or all of it where it is wide",
                style.utf8 ? "\u00b1" : "+-")
          : "; intervals are in summary.csv and in a wider window");
  text += render_in_pieces(part, subjects, layout);
  const GeometricMean* mean = index.mean(part.metric, report.facts.baseline);
  if (mean != nullptr && !mean->left_out.empty()) {
    const std::size_t cells = static_cast<std::size_t>(mean->cells) + mean->left_out.size();
    text += wrapped(fmt::format("{} of {} cells left out of the geometric means: {}",
                                mean->left_out.size(), cells, left_out_text(*mean)),
                    0, width);
  }
  if (!part.note.empty()) {
    text += wrapped(part.note, 0, width);
  }
  return text + '\n';
}

std::vector<Part> parts_of(const Index& index) {
  std::vector<Part> parts;
  if (index.has_metric("throughput")) {
    parts.push_back({"throughput", "", "Throughput (operations per second; higher is better)", ""});
  } else if (index.has_metric("wall_time")) {
    parts.push_back({"wall_time", "", "Wall time (lower is better)", ""});
  }
  if (index.has_metric("peak_rss")) {
    const bool fragmentation = index.has_metric("fragmentation");
    parts.push_back({"peak_rss", fragmentation ? "fragmentation" : "",
                     fragmentation ? "Peak RSS (lower is better), and fragmentation: peak RSS over "
                                     "peak live bytes (lower is better)"
                                   : "Peak RSS (lower is better)",
                     fragmentation ? std::string(kFragmentationNote) : ""});
  }
  return parts;
}

std::string legend(const Report& report, const Style& style) {
  std::string text =
      "+ better   - worse   = not shown to differ by more than 1 %   ~ indicative: too few blocks "
      "for a verdict";
  if (std::ranges::any_of(report.summaries,
                          [&](const Summary& row) { return above_cpus(report, row.threads); })) {
    text += "   ! more threads than CPUs";
  }
  if (std::ranges::any_of(report.summaries, [&](const Summary& row) {
        return row.median && !row.ratio && row.allocator != report.facts.baseline &&
               (row.metric == "throughput" || row.metric == "peak_rss");
      })) {
    text +=
        "   (figure): no ratio, as one of the two is missing or 0, or the baseline's is below 64 "
        "KiB";
  }
  return wrapped(text, 0, static_cast<std::size_t>(style.width));
}

std::string failures(const Report& report, const Style& style) {
  std::string text;
  for (const std::string& line : failure_lines(report)) {
    text += wrapped(line, 2, static_cast<std::size_t>(style.width));
  }
  return text.empty() ? text : painted("Failures", Paint::kHeading, style.colour) + '\n' + text;
}

std::string warnings(const Report& report, const Style& style) {
  const auto width = static_cast<std::size_t>(style.width);
  std::string text;
  for (const Warning& warning : report.warnings) {
    text += wrapped(warning.what, 2, width);
    text += wrapped(fmt::format("{} {}", style.utf8 ? "\u2192" : "->", warning.remedy), 4, width);
  }
  return text.empty() ? text : painted("Warnings", Paint::kHeading, style.colour) + '\n' + text;
}

std::string answer(const Report& report, const Style& style) {
  const auto front = pareto_front(report.means, candidates(report), report.facts.baseline);
  if (!front) {
    return "";
  }
  std::string text = painted("Throughput against peak RSS", Paint::kHeading, style.colour) + '\n';
  for (const std::string& sentence : sentences(*front)) {
    text += wrapped(sentence, 2, static_cast<std::size_t>(style.width));
  }
  return text;
}

}  // namespace

std::string render_table(const Report& report, const Style& style) {
  const Index index(report);
  std::string text;
  for (const Part& part : parts_of(index)) {
    text += render_part(part, report, index, style);
  }
  text += legend(report, style);
  if (report.facts.cut_off) {
    text += "The run was cut off: cells and repetitions are missing.\n";
  }
  for (const std::string& section :
       {failures(report, style), answer(report, style), warnings(report, style)}) {
    text += section.empty() ? "" : '\n' + section;
  }
  return text;
}

}  // namespace bench

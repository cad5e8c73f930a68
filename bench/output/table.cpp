// The console table: means by kind first, then one part for speed, one for memory and one for cost, a row a cell, a column an
// allocator, ratios to the baseline throughout.
//
//   workload  threads     glibc        osmem      jemalloc
//   pair            1  45.2 M/s  1.85 ±0.05 +  0.91 ±0.02 -
//
// The mark after a ratio is the verdict: better, worse, the same or not decided. It means the same in all parts, although more is
// better in one and less in the others. A part that is too wide for the terminal leaves out the intervals; if it is still too wide its
// allocators are spread over several tables.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "bench/output/format.hpp"
#include "bench/output/grid.hpp"
#include "bench/output/index.hpp"
#include "bench/output/latency.hpp"
#include "bench/output/number.hpp"
#include "bench/model/metric.hpp"
#include "bench/stats/pareto.hpp"

namespace bench {
namespace {

// What one part of the table shows: ratios of one metric, and beside them the figures of another if it has a name.
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
    case Verdict::kUndecided:
      return '?';
    case Verdict::kSame:
      return '=';
    case Verdict::kHigher:
    case Verdict::kLower:
      break;
  }
  switch (judgement(row)) {
    case Judgement::kBetter:
      return '+';
    case Judgement::kWorse:
      return '-';
    case Judgement::kNeither:
      break;
  }
  return ' ';
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

// The candidate with the best figure of a row; "" if nobody has one.
std::string best_of(const Layout& layout, const CellName& cell, std::string_view metric) {
  const bool more = metric_named(metric).direction == Direction::kHigherIsBetter;
  std::string best;
  double best_figure =
      more ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  for (const std::string& allocator : candidates(layout.report.facts)) {
    const Summary* row = layout.index.summary(cell, metric, allocator);
    if (row == nullptr || !row->median) {
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
  const std::string best = best_of(layout, cell, part.metric);
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

std::string families_text(const GeometricMean& mean) {
  return fmt::format("{} {}", mean.families, mean.families == 1 ? "family" : "families");
}

// Geometric means of the ratios; those of the metric beside are not ratios to anything and have
// none.
GridRow mean_row(Kind kind, const Part& part, std::span<const std::string> subjects, const Layout& layout) {
  const GeometricMean& base = *layout.index.mean(kind, part.metric, layout.report.facts.baseline);
  GridRow row{{fmt::format("mean, {}", families_text(base)), Align::kLeft, Paint::kHeading}, {""}, {"1"}};
  if (!part.beside.empty()) {
    row.push_back({""});
  }
  for (const std::string& subject : subjects) {
    const GeometricMean* mean = layout.index.mean(kind, part.metric, subject);
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

// A kind's name, its cells, and its mean where there is more than one cell.
void add_kind(Kind kind, const Part& part, std::span<const std::string> subjects, const Layout& layout, std::vector<GridRow>& rows) {
  std::size_t cells = 0;
  for (const CellName& cell : layout.index.cells()) {
    if (cell.kind == kind) {
      if (cells++ == 0) {
        rows.push_back({{std::string(to_string(kind)), Align::kLeft, Paint::kFaint}});
      }
      rows.push_back(cell_row(part, cell, subjects, layout));
    }
  }
  const GeometricMean* base = layout.index.mean(kind, part.metric, layout.report.facts.baseline);
  if (!subjects.empty() && base != nullptr && base->cells > 1) {
    rows.push_back(mean_row(kind, part, subjects, layout));
  }
}

std::vector<GridRow> rows_of(const Part& part, std::span<const std::string> subjects,
                             const Layout& layout) {
  std::vector<GridRow> rows{heading(part, subjects, layout)};
  for (const Kind kind : kKinds) {
    add_kind(kind, part, subjects, layout, rows);
  }
  return rows;
}

// As many allocators in a table as fit; at least one. `rows` lays some of them out.
std::string in_pieces(std::span<const std::string> subjects, const Style& style,
                      const std::function<std::vector<GridRow>(std::span<const std::string>)>& rows) {
  std::size_t count = subjects.size();
  while (count > 1 && grid_width(rows(subjects.first(count))) > static_cast<std::size_t>(style.width)) {
    --count;
  }
  std::string text = render_grid(rows(subjects.first(count)), style.colour);
  if (count < subjects.size()) {
    text += '\n' + in_pieces(subjects.subspan(count), style, rows);
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

std::vector<std::string> subjects_of(const Report& report) {
  std::vector<std::string> subjects = report.facts.allocators;
  std::erase(subjects, report.facts.baseline);
  return subjects;
}

// Which cells no mean has, a line a kind.
std::string left_out_lines(std::string_view metric, const Report& report, const Index& index, std::size_t width) {
  std::string text;
  for (const Kind kind : kKinds) {
    const GeometricMean* mean = index.mean(kind, metric, report.facts.baseline);
    if (mean != nullptr && !mean->left_out.empty()) {
      const std::size_t cells = static_cast<std::size_t>(mean->cells) + mean->left_out.size();
      text += wrapped(fmt::format("{}: {} of {} cells left out of the means: {}", to_string(kind),
                                  mean->left_out.size(), cells, left_out_text(*mean)),
                      0, width);
    }
  }
  return text;
}

std::string render_part(const Part& part, const Report& report, const Index& index,
                        const Style& style) {
  const std::vector<std::string> subjects = subjects_of(report);
  Layout layout{report, index, style, Intervals::kShown, widest_interval(part, report, style)};
  const auto width = static_cast<std::size_t>(style.width);
  if (grid_width(rows_of(part, subjects, layout)) > width) {
    layout.intervals = Intervals::kLeftOut;
  }
  std::string text = painted(part.title, Paint::kHeading, style.colour) + "\n";
  text += wrapped(fmt::format("ratio to {}, whose own figure comes first; n = {}{}", report.facts.baseline,
                              index.repetitions(part.metric),
                              layout.intervals == Intervals::kShown ? "" : "; intervals are in summary.csv and in a wider window"),
                  0, width);
  text += in_pieces(subjects, style, [&](std::span<const std::string> some) { return rows_of(part, some, layout); });
  text += left_out_lines(part.metric, report, index, width);
  if (!part.note.empty()) {
    text += wrapped(part.note, 0, width);
  }
  if (const std::string seen = detectable_line(report, part.metric); !seen.empty()) {
    text += wrapped(seen, 0, width);
  }
  return text + '\n';
}

// The figures that the first table shows, and their names there.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kHeadlines{
    {{"throughput", "throughput"}, {"wall_time", "wall time"}, {"peak_rss", "peak RSS"}, {"mean_rss", "mean RSS"}, {"cost", "cost"}}};

// A figure's means over a kind, and below each what it is without the family that moves it most.
void add_headline(Kind kind, std::string_view metric, std::string_view name, std::span<const std::string> subjects,
                  const Layout& layout, std::vector<GridRow>& rows) {
  GridRow means{{""}, {std::string(name), Align::kLeft}};
  GridRow without{{""}, {"  less one family", Align::kLeft, Paint::kFaint}};
  bool any_without = false;
  for (const std::string& subject : subjects) {
    const GeometricMean* mean = layout.index.mean(kind, metric, subject);
    const bool has = mean != nullptr && mean->ratio;
    means.push_back(has ? GridCell{ratio_cell(*mean->ratio, mean->interval, ' ', layout)} : GridCell{"-  "});
    any_without |= has && mean->without;
    const std::string blanks(layout.intervals == Intervals::kShown ? layout.interval_width + 1 : 0, ' ');
    without.push_back({has && mean->without ? ratio_text(mean->without->ratio) + blanks + "  " : "", Align::kRight, Paint::kFaint});
  }
  rows.push_back(std::move(means));
  if (any_without) {
    rows.push_back(std::move(without));
  }
}

std::vector<GridRow> headline_rows(std::span<const std::string> subjects, const Layout& layout) {
  GridRow heading{{"", Align::kLeft}, {"", Align::kLeft}};
  for (const std::string& subject : subjects) {
    heading.push_back({subject + "  ", Align::kRight, Paint::kHeading});
  }
  std::vector<GridRow> rows{heading};
  for (const Kind kind : kKinds) {
    const std::size_t first = rows.size();
    for (const auto& [metric, name] : kHeadlines) {
      const GeometricMean* base = layout.index.mean(kind, metric, layout.report.facts.baseline);
      const bool said_by_throughput = metric == "wall_time" && layout.index.mean(kind, "throughput", layout.report.facts.baseline) != nullptr;
      if (base != nullptr && base->cells > 0 && !said_by_throughput) {
        add_headline(kind, metric, name, subjects, layout, rows);
        if (rows.size() > first) {
          rows[first][0] = {std::string(to_string(kind)), Align::kLeft, Paint::kHeading};
        }
      }
    }
  }
  return rows;
}

std::string render_headlines(const Report& report, const Index& index, const Style& style) {
  const std::vector<std::string> subjects = subjects_of(report);
  std::size_t widest = 0;
  for (const GeometricMean& mean : report.means) {
    const bool shown = std::ranges::find(kHeadlines, mean.metric, [](const auto& pair) { return pair.first; }) != kHeadlines.end();
    widest = shown && mean.ratio ? std::max(widest, display_width(interval_text(*mean.ratio, mean.interval, style))) : widest;
  }
  Layout layout{report, index, style, Intervals::kShown, widest};
  if (grid_width(headline_rows(subjects, layout)) > static_cast<std::size_t>(style.width)) {
    layout.intervals = Intervals::kLeftOut;
  }
  if (subjects.empty() || headline_rows(subjects, layout).size() < 2) {
    return "";
  }
  std::string text = painted("By kind", Paint::kHeading, style.colour) + '\n';
  text += wrapped(fmt::format("geometric means of ratios to {}; a workload at several sizes or thread counts has one vote; cost = CPU s + "
                              "mean RSS x s / ({} a CPU)",
                              report.facts.baseline, quantity(report.facts.bytes_per_cpu, "bytes")),
                  0, static_cast<std::size_t>(style.width));
  return text + in_pieces(subjects, style, [&](std::span<const std::string> some) { return headline_rows(some, layout); }) + '\n';
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
                     fragmentation ? "Peak RSS, and fragmentation: peak RSS over live bytes (lower is better)"
                                   : "Peak RSS (lower is better)",
                     fragmentation ? std::string(kFragmentationNote) : ""});
  }
  if (index.has_metric("cost")) {
    parts.push_back({"cost", "", "Cost of CPU and memory (lower is better)", ""});
  }
  return parts;
}

std::string legend(const Report& report, const Style& style) {
  std::string text = fmt::format("+ better   - worse   = same within {:g} %   ? not decided   {} half of the 95 % interval, or all of it where it is wide",
                                 100 * report.facts.margin, style.utf8 ? "\u00b1" : "+-");
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

std::string warnings(const Report& report, const Style& style) {
  const auto width = static_cast<std::size_t>(style.width);
  std::string text;
  for (const Warning& warning : report.warnings) {
    text += wrapped(warning.what, 2, width);
    text += wrapped(fmt::format("{} {}", style.utf8 ? "\u2192" : "->", warning.remedy), 4, width);
  }
  return text.empty() ? text : painted("Warnings", Paint::kHeading, style.colour) + '\n' + text;
}

std::string list_of(std::string_view title, const std::vector<std::string>& lines, const Style& style) {
  if (lines.empty()) {
    return "";
  }
  std::string text = painted(title, Paint::kHeading, style.colour) + '\n';
  for (const std::string& line : lines) {
    text += wrapped(line, 2, static_cast<std::size_t>(style.width));
  }
  return text;
}

std::string failures(const Report& report, const Style& style) { return list_of("Failures", failure_lines(report), style); }

std::string answer(const Report& report, const Style& style) {
  std::vector<std::string> lines;
  for (const ParetoFront& front : fronts(report)) {
    lines.push_back(sentences(front).front());  // report.md has the others
  }
  return list_of("Throughput against peak RSS", lines, style);
}

std::string prices(const Report& report, const Style& style) {
  return list_of("Cheapest, by the memory that costs as much as one CPU", price_lines(report), style);
}

// What the machine charges for memory: ratios of work that faults hold for such machines.
std::string host(const Report& report) {
  const auto card = report.facts.environment.find("card");
  if (card == report.facts.environment.end() || !card->is_object() || !card->contains("line")) {
    return "";
  }
  return wrapped("Host: " + card->at("line").get<std::string>(), 0, 80);
}

}  // namespace

std::string render_table(const Report& report, const Style& style) {
  const Index index(report);
  std::string text = render_headlines(report, index, style);
  for (const Part& part : parts_of(index)) {
    text += render_part(part, report, index, style);
  }
  text += render_latency(report, index, style);
  text += legend(report, style) + host(report);
  if (report.facts.cut_off) {
    text += "The run was cut off: cells and repetitions are missing.\n";
  }
  for (const std::string& section :
       {failures(report, style), answer(report, style), prices(report, style), warnings(report, style)}) {
    text += section.empty() ? "" : '\n' + section;
  }
  return text;
}

}  // namespace bench

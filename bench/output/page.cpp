#include "bench/output/page.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <tuple>

#include "bench/model/metric.hpp"
#include "bench/output/index.hpp"
#include "bench/output/page_latency.hpp"
#include "bench/output/page_numbers.hpp"
#include "bench/stats/pareto.hpp"

namespace bench {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kPointsOfTimeline = 160;  // more than a chart's pixels show apart

std::string_view better(Direction direction) {
  switch (direction) {
    case Direction::kHigherIsBetter:
      return "higher";
    case Direction::kLowerIsBetter:
      return "lower";
    default:
      return "";
  }
}

ordered_json metric_json(const std::string& name, const std::string& unit) {
  const Metric metric = metric_named(name);
  return {{"name", name},
          {"unit", unit},
          {"better", better(metric.direction)},
          {"if_higher", metric.if_higher},
          {"if_lower", metric.if_lower},
          {"meaning", metric.meaning}};
}

// Which places the figures have in the page's arrays: [metric][cell][allocator].
class Places {
 public:
  explicit Places(const Report& report)
      : cells_(Index(report).cells()), metrics_(Index(report).metrics()), allocators_(report.facts.allocators) {
    for (const Sample& sample : report.samples) {
      if (std::ranges::find(allocators_, sample.allocator) == allocators_.end()) {
        allocators_.push_back(sample.allocator);
      }
    }
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      cell_places_.emplace(std::pair(cells_[i].workload, cells_[i].threads), i);
    }
    number_all(metrics_, metric_places_);
    number_all(allocators_, allocator_places_);
  }

  [[nodiscard]] ordered_json blank() const {
    ordered_json cell = ordered_json::array();
    for (std::size_t i = 0; i < allocators_.size(); ++i) {
      cell.push_back(nullptr);
    }
    ordered_json metric = ordered_json::array();
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      metric.push_back(cell);
    }
    ordered_json all = ordered_json::array();
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
      all.push_back(metric);
    }
    return all;
  }

  // The place of a row's figure in what blank() made; nullptr for a row of no metric.
  [[nodiscard]] ordered_json* place(ordered_json& all, const auto& row) const {
    const auto metric = metric_places_.find(row.metric);
    const auto cell = cell_places_.find({row.workload, row.threads});
    const auto allocator = allocator_places_.find(row.allocator);
    if (metric == metric_places_.end() || cell == cell_places_.end() || allocator == allocator_places_.end()) {
      return nullptr;
    }
    return &all[metric->second][cell->second][allocator->second];
  }

  [[nodiscard]] const std::vector<CellName>& cells() const { return cells_; }
  [[nodiscard]] const std::vector<std::string>& metrics() const { return metrics_; }
  [[nodiscard]] const std::vector<std::string>& allocators() const { return allocators_; }

 private:
  template <typename Name>
  static void number_all(const std::vector<Name>& names, std::map<Name, std::size_t>& places) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      places.emplace(names[i], i);
    }
  }

  std::vector<CellName> cells_;
  std::vector<std::string> metrics_;
  std::vector<std::string> allocators_;
  std::map<std::pair<std::string, int>, std::size_t> cell_places_;
  std::map<std::string, std::size_t> metric_places_;
  std::map<std::string, std::size_t> allocator_places_;
};

// [n, median, low, high], or what failed.
ordered_json figures_json(const Report& report, const Places& places) {
  ordered_json all = places.blank();
  for (const Summary& row : report.summaries) {
    if (ordered_json* place = places.place(all, row)) {
      if (row.median) {
        *place = {row.n, brief(row.median), low_end(row.range), high_end(row.range)};
      } else if (row.status != Status::kOk) {
        *place = fmt::format("{}{}{}", to_string(row.status), row.detail.empty() ? "" : ": ", row.detail);
      }
    }
  }
  return all;
}

int sign_of(Judgement judgement) {
  switch (judgement) {
    case Judgement::kBetter:
      return 1;
    case Judgement::kWorse:
      return -1;
    default:
      return 0;
  }
}

// [ratio, low, high, verdict, 1 better / -1 worse / 0 neither].
ordered_json ratios_json(const Report& report, const Places& places) {
  ordered_json all = places.blank();
  for (const Summary& row : report.summaries) {
    if (ordered_json* place = places.place(all, row); place != nullptr && row.ratio) {
      *place = {brief(row.ratio), low_end(row.ratio_interval), high_end(row.ratio_interval), verdict_word(row),
                sign_of(judgement(row))};
    }
  }
  return all;
}

ordered_json means_json(const Report& report) {
  ordered_json means = ordered_json::array();
  for (const GeometricMean& mean : report.means) {
    ordered_json without = nullptr;
    if (mean.without) {
      without = {{"family", mean.without->family}, {"ratio", brief(mean.without->ratio)}};
    }
    means.push_back({{"metric", mean.metric},
                     {"kind", to_string(mean.kind)},
                     {"families", mean.families},
                     {"allocator", mean.allocator},
                     {"cells", mean.cells},
                     {"left_out", left_out_text(mean)},
                     {"ratio", brief(mean.ratio)},
                     {"low", low_end(mean.interval)},
                     {"high", high_end(mean.interval)},
                     {"without", std::move(without)}});
  }
  return means;
}

// What each candidate spends of CPU seconds and byte seconds where the baseline spends one CPU second, by kind.
ordered_json costs_json(const Report& report) {
  ordered_json costs = ordered_json::array();
  for (const Kind kind : kKinds) {
    ordered_json lines = ordered_json::array();
    for (const CostLine& line : cost_of_kind(report.costs, kind)) {
      lines.push_back({line.allocator, brief(line.cpu_s), brief(line.byte_s)});
    }
    if (!lines.empty()) {
      costs.push_back({{"kind", to_string(kind)}, {"lines", std::move(lines)}});
    }
  }
  return costs;
}

// The log-ratios of samples are to the run's own baseline: here they are to another one.
std::vector<Sample> rebased(std::vector<Sample> samples, const std::string& from, const std::string& to) {
  using Key = std::tuple<int, std::string, int, std::string>;
  std::map<Key, double> of_new_baseline;
  for (const Sample& sample : samples) {
    if (sample.allocator == to && sample.log_ratio) {
      of_new_baseline[{sample.block, sample.workload, sample.threads, sample.metric}] = *sample.log_ratio;
    }
  }
  for (Sample& sample : samples) {
    const auto found = of_new_baseline.find({sample.block, sample.workload, sample.threads, sample.metric});
    const bool is_old_baseline = sample.allocator == from;
    if (found == of_new_baseline.end() || (!sample.log_ratio && !is_old_baseline)) {
      sample.log_ratio.reset();
    } else {
      sample.log_ratio = (is_old_baseline ? 0.0 : *sample.log_ratio) - found->second;
    }
  }
  return samples;
}

// What a choice of the baseline changes.
ordered_json view_json(const Report& report, const Places& places) {
  ordered_json verdicts = ordered_json::array();
  for (const ParetoFront& front : fronts(report)) {
    verdicts.push_back({{"kind", to_string(front.kind)}, {"sentences", sentences(front)}});
  }
  return {{"baseline", report.facts.baseline},
          {"verdicts", std::move(verdicts)},
          {"prices", price_lines(report)},
          {"costs", costs_json(report)},
          {"ratios", ratios_json(report, places)},
          {"means", means_json(report)}};
}

ordered_json views_json(const Report& report, const Places& places) {
  ordered_json views = ordered_json::array();
  views.push_back(view_json(report, places));
  for (const std::string& name : candidates(report.facts)) {
    if (name != report.facts.baseline) {
      RunFacts facts = report.facts;
      facts.baseline = name;
      views.push_back(view_json(digest(std::move(facts), rebased(report.samples, report.facts.baseline, name)), places));
    }
  }
  return views;
}

void put_at_block(ordered_json& blocks, int block, double value) {
  if (blocks.is_null()) {
    blocks = ordered_json::array();
  }
  while (blocks.size() <= static_cast<std::size_t>(block)) {
    blocks.push_back(nullptr);
  }
  blocks[static_cast<std::size_t>(block)] = value;
}

// Every figure as it was measured, by block; and the rows that have none.
void add_samples(const Report& report, const Places& places, ordered_json& run) {
  ordered_json values = places.blank();
  ordered_json log_ratios = places.blank();
  ordered_json failures = ordered_json::array();
  for (const Sample& sample : report.samples) {
    ordered_json* place = places.place(values, sample);
    if (sample.status != Status::kOk || !sample.value || place == nullptr || sample.block < 0) {
      failures.push_back({sample.block, sample.workload, sample.threads, sample.allocator, sample.metric, sample.unit,
                          to_string(sample.status), sample.detail});
      continue;
    }
    put_at_block(*place, sample.block, *sample.value);
    if (sample.log_ratio) {
      put_at_block(*places.place(log_ratios, sample), sample.block, *sample.log_ratio);
    }
  }
  run["samples"] = std::move(values);
  run["log_ratios"] = std::move(log_ratios);
  run["failed_samples"] = std::move(failures);
}

std::string unit_of(const Report& report, const std::string& metric) {
  const auto found = std::ranges::find(report.summaries, metric, &Summary::metric);
  return found == report.summaries.end() ? std::string(metric_named(metric).unit) : found->unit;
}

ordered_json point_json(const TimelinePoint& point, double start_rss_bytes) {
  constexpr double kKib = 1024;
  return {short_number(point.time_s), std::round((point.rss_bytes - start_rss_bytes) / kKib),
          std::round(point.live_bytes / kKib)};
}

// Of neighbouring points the one with the largest resident set, so that no peak is lost.
ordered_json thinned(const StoredTimeline& timeline) {
  std::vector<const TimelinePoint*> plain;
  for (const TimelinePoint& point : timeline.points) {
    if (point.phase.empty()) {
      plain.push_back(&point);
    }
  }
  const std::size_t step = plain.size() / kPointsOfTimeline + 1;
  ordered_json points = ordered_json::array();
  for (std::size_t i = 0; i < plain.size(); i += step) {
    const auto end = plain.begin() + static_cast<std::ptrdiff_t>(std::min(i + step, plain.size()));
    const auto highest = std::max_element(
        plain.begin() + static_cast<std::ptrdiff_t>(i), end,
        [](const TimelinePoint* a, const TimelinePoint* b) { return a->rss_bytes < b->rss_bytes; });
    points.push_back(point_json(**highest, timeline.start_rss_bytes));
  }
  return points;
}

ordered_json timeline_json(const StoredTimeline& timeline) {
  ordered_json marks = ordered_json::array();
  for (const TimelinePoint& point : timeline.points) {
    if (!point.phase.empty()) {
      marks.push_back({short_number(point.time_s), point.phase});
    }
  }
  return {{"workload", timeline.workload}, {"threads", timeline.threads}, {"allocator", timeline.allocator},
          {"block", timeline.block},       {"points", thinned(timeline)}, {"marks", std::move(marks)}};
}

// The first block of each cell and allocator: later ones look alike.
ordered_json timelines_json(const std::vector<StoredTimeline>& timelines) {
  std::set<std::tuple<std::string, int, std::string>> seen;
  ordered_json all = ordered_json::array();
  for (const StoredTimeline& timeline : timelines) {
    if (seen.emplace(timeline.workload, timeline.threads, timeline.allocator).second) {
      all.push_back(timeline_json(timeline));
    }
  }
  return all;
}

ordered_json warnings_json(const Report& report) {
  ordered_json warnings = ordered_json::array();
  for (const Warning& warning : report.warnings) {
    warnings.push_back({warning.what, warning.remedy});
  }
  return warnings;
}

// Each workload's kind, as its samples have it.
std::map<std::string, std::string> kinds_of(const Report& report) {
  std::map<std::string, std::string> kinds;
  for (const Sample& sample : report.samples) {
    kinds.emplace(sample.workload, to_string(sample.kind));
  }
  return kinds;
}

// Within which 95 % of the ratios of two equal slices of work lie, by the host's card; null if it has no such figure.
ordered_json band_json(const RunFacts& facts) {
  const auto card = facts.environment.find("card");
  const auto costs = card != facts.environment.end() && card->is_object() ? card->find("costs") : card;
  if (card == facts.environment.end() || !card->is_object() || costs == card->end() || !costs->is_object()) {
    return nullptr;
  }
  const auto spread = costs->find("slice_spread");
  if (spread == costs->end() || !spread->is_number() || !(spread->get<double>() > 0)) {
    return nullptr;
  }
  constexpr double kOfNormal = 1.96;  // standard deviations
  const double half = kOfNormal * spread->get<double>();
  return {short_number(std::exp(-half)), short_number(std::exp(half))};
}

ordered_json run_json(const PageRun& page_run) {
  const Report report = digest(page_run.run.facts, page_run.run.samples);
  const Places places(report);
  const auto kinds = kinds_of(report);
  ordered_json cells = ordered_json::array();
  for (const CellName& cell : places.cells()) {
    cells.push_back({{"workload", cell.workload}, {"threads", cell.threads}, {"kind", kinds.at(cell.workload)}});
  }
  ordered_json metric_rows = ordered_json::array();
  for (const std::string& name : places.metrics()) {
    metric_rows.push_back(metric_json(name, unit_of(report, name)));
  }
  ordered_json run = {{"name", std::filesystem::weakly_canonical(page_run.run.folder).filename().string()},
                      {"suite", report.facts.suite},
                      {"command", report.facts.command},
                      {"blocks", report.facts.repetitions},
                      {"cut_off", report.facts.cut_off},
                      {"allocators", places.allocators()},
                      {"references", report.facts.references},
                      {"cells", std::move(cells)},
                      {"metrics", std::move(metric_rows)},
                      {"environment", report.facts.environment},
                      {"warnings", warnings_json(report)},
                      {"failures", failure_lines(report)},
                      {"aa_band", band_json(report.facts)},
                      {"figures", figures_json(report, places)},
                      {"views", views_json(report, places)},
                      {"timelines", timelines_json(page_run.timelines)},
                      {"latencies", latencies_json(page_run.histograms)}};
  add_samples(report, places, run);
  return run;
}

std::string gzip(std::string_view text) {
  constexpr int kGzip = 16 + MAX_WBITS;
  constexpr int kMemory = 9;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("no memory to compress the page's data");
  }
  std::string packed(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int result = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) {
    throw std::runtime_error("the page's data cannot be compressed");
  }
  return packed;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t triple = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      triple = triple << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? kDigits[triple >> (18 - 6 * k) & 63U] : '=';
    }
  }
  return text;
}

}  // namespace

ordered_json page_data(std::span<const PageRun> runs) {
  ordered_json all = ordered_json::array();
  for (const PageRun& run : runs) {
    all.push_back(run_json(run));
  }
  return {{"version", 1}, {"runs", std::move(all)}};
}

std::string render_page(std::string_view page_template, const ordered_json& data) {
  constexpr std::string_view kPlace = "@BENCH_DATA@";
  const std::size_t at = page_template.find(kPlace);
  if (at == std::string_view::npos) {
    throw std::runtime_error("the page has no place for the data; build the project again");
  }
  const std::string text = data.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  std::string page(page_template.substr(0, at));
  page += base64(gzip(text));
  page += page_template.substr(at + kPlace.size());
  return page;
}

}  // namespace bench

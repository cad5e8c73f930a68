// samples.csv, summary.csv and means.csv: RFC 4180 quoting, \n line ends, numbers with a point in
// every locale.
#include <fmt/format.h>

#include <algorithm>

#include "bench/output/format.hpp"
#include "bench/output/number.hpp"

namespace bench {
namespace {

std::string csv_field(std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    return std::string(field);
  }
  std::string text = "\"";
  for (const char c : field) {
    text += c == '"' ? "\"\"" : std::string(1, c);
  }
  return text + '"';
}

std::string low(const std::optional<Interval>& interval) {
  return interval ? rounded(interval->low) : "";
}

std::string high(const std::optional<Interval>& interval) {
  return interval ? rounded(interval->high) : "";
}

std::string summary_row(const Summary& row, std::string_view baseline) {
  const bool is_baseline = row.allocator == baseline && row.median;
  const std::string_view verdict = is_baseline ? "baseline" : verdict_word(row);
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_field(row.workload),
                     row.threads, to_string(row.kind), csv_field(row.metric), csv_field(row.unit),
                     csv_field(row.allocator), row.n, rounded(row.median), low(row.range),
                     high(row.range), rounded(row.ratio), low(row.ratio_interval),
                     high(row.ratio_interval), verdict, rounded(row.detectable), to_string(row.status));
}

}  // namespace

std::string samples_csv_header() {
  return "block,workload,threads,kind,allocator,metric,unit,value,log_ratio,status,detail\n";
}

std::string samples_csv_row(const Sample& sample) {
  std::string detail = sample.detail;  // on one line, so that a row is a line
  std::ranges::replace_if(
      detail, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  const bool ok = sample.status == Status::kOk;
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", sample.block, csv_field(sample.workload),
                     sample.threads, to_string(sample.kind), csv_field(sample.allocator),
                     csv_field(sample.metric), csv_field(sample.unit),
                     ok ? exact(sample.value) : "", ok ? exact(sample.log_ratio) : "",
                     to_string(sample.status), csv_field(detail));
}

std::string render_summary_csv(const Report& report, const Style& /*style*/) {
  std::string text =
      "workload,threads,kind,metric,unit,allocator,n,median,low,high,ratio,ratio_low,ratio_high,verdict,"
      "detectable,status\n";
  for (const Summary& row : report.summaries) {
    text += summary_row(row, report.facts.baseline);
  }
  return text;
}

std::string render_means_csv(const Report& report, const Style& /*style*/) {
  std::string text =
      "kind,metric,allocator,families,cells,cells_left_out,ratio,ratio_low,ratio_high,without_family,"
      "without_ratio\n";
  for (const GeometricMean& mean : report.means) {
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", to_string(mean.kind), csv_field(mean.metric),
                        csv_field(mean.allocator), mean.families, mean.cells, mean.left_out.size(),
                        rounded(mean.ratio), low(mean.interval), high(mean.interval),
                        mean.without ? csv_field(mean.without->family) : "",
                        mean.without ? rounded(mean.without->ratio) : "");
  }
  return text;
}

}  // namespace bench

// Finds a report's figures by cell, for the formats that lay them out as a table.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "bench/output/report.hpp"

namespace bench {

// A row of a table.
struct CellName {
  std::string workload;
  int threads;
  Kind kind;

  auto operator<=>(const CellName&) const = default;
};

// Refers to the report, which must outlive it. Immutable.
class Index {
 public:
  explicit Index(const Report& report);

  // nullptr if the run has no such row.
  [[nodiscard]] const Summary* summary(const CellName& cell, std::string_view metric,
                                       std::string_view allocator) const;
  [[nodiscard]] const GeometricMean* mean(Kind kind, std::string_view metric,
                                          std::string_view allocator) const;

  // Kinds that have a mean of that metric, in the order of kKinds.
  [[nodiscard]] std::vector<Kind> kinds_with_mean(std::string_view metric) const;
  // Cells and metrics in the order of the summaries.
  [[nodiscard]] const std::vector<CellName>& cells() const { return cells_; }
  [[nodiscard]] const std::vector<std::string>& metrics() const { return metrics_; }
  [[nodiscard]] bool has_metric(std::string_view metric) const;

  // "10", or "8 to 10" where cells differ: repetitions of the metric behind each figure.
  [[nodiscard]] std::string repetitions(std::string_view metric) const;

 private:
  using Key = std::tuple<std::string_view, int, std::string_view, std::string_view>;

  std::map<Key, const Summary*> summaries_;
  std::map<std::tuple<Kind, std::string_view, std::string_view>, const GeometricMean*> means_;
  std::vector<CellName> cells_;
  std::vector<std::string> metrics_;
};

}  // namespace bench

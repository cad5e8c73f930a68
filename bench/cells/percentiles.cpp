#include "bench/cells/percentiles.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "bench/model/metric.hpp"

namespace bench {
namespace {

constexpr double kLeastNs = 0.1;  // a ratio needs more than 0, which is what is left where the timer took it all

struct Percentile {
  const char* name;
  double share;
};
constexpr std::array kPercentiles{Percentile{"_p50", 0.5}, Percentile{"_p90", 0.9}, Percentile{"_p99", 0.99}, Percentile{"_p99.9", 0.999},
                                  Percentile{"_p99.99", 0.9999}};

double count_in(const nlohmann::json& buckets) {
  double count = 0;
  for (const auto& bucket : buckets) {
    count += bucket[2].get<double>();
  }
  return count;
}

}  // namespace

void put_figure(Measured& into, const Sample& blank, const std::string& metric, double value, std::string detail) {
  Sample sample = blank;
  sample.metric = metric;
  sample.unit = metric_named(metric).unit;
  sample.value = value;
  sample.detail = std::move(detail);
  into.samples.push_back(std::move(sample));
}

double value_at(const nlohmann::json& buckets, double share) {
  const double wanted = share * count_in(buckets);
  double below = 0;
  double value = 0;
  for (const auto& bucket : buckets) {
    below += bucket[2].get<double>();
    value = (bucket[0].get<double>() + bucket[1].get<double>()) / 2;
    if (below >= wanted) {
      break;
    }
  }
  return value;
}

void put_percentiles(Measured& into, const Sample& blank, const std::string& name, const nlohmann::json& times) {
  const nlohmann::json& buckets = times.at("buckets");
  const double calls = count_in(buckets);
  put_figure(into, blank, name + "_calls", calls);
  for (const auto& [suffix, share] : kPercentiles) {
    if ((1 - share) * calls >= 1) {
      put_figure(into, blank, name + suffix, std::max(value_at(buckets, share), kLeastNs));
    }
  }
  put_figure(into, blank, name + "_max", std::max(times.at("max_ns").get<double>(), kLeastNs));
  into.histograms.push_back({{"function", name}, {"buckets", buckets}});
}

}  // namespace bench

#include "bench/protocol/outcome.hpp"

#include <stdexcept>
#include <tuple>

namespace bench::worker {
namespace {

// Every field of an outcome: its key and its member.
constexpr std::tuple kFields{
    std::pair{"operations", &Outcome::operations},
    std::pair{"checksum", &Outcome::checksum},
    std::pair{"iterations", &Outcome::iterations},
    std::pair{"slice_iterations", &Outcome::slice_iterations},
    std::pair{"slice_s", &Outcome::slice_s},
    std::pair{"wall_s", &Outcome::wall_s},
    std::pair{"own_s", &Outcome::own_s},
    std::pair{"user_s", &Outcome::user_s},
    std::pair{"system_s", &Outcome::system_s},
    std::pair{"minor_faults", &Outcome::minor_faults},
    std::pair{"major_faults", &Outcome::major_faults},
    std::pair{"voluntary_switches", &Outcome::voluntary_switches},
    std::pair{"involuntary_switches", &Outcome::involuntary_switches},
    std::pair{"peak_was_reset", &Outcome::peak_was_reset},
    std::pair{"initial_rss_bytes", &Outcome::initial_rss_bytes},
    std::pair{"start_rss_bytes", &Outcome::start_rss_bytes},
    std::pair{"end_rss_bytes", &Outcome::end_rss_bytes},
    std::pair{"peak_rss_bytes", &Outcome::peak_rss_bytes},
    std::pair{"live_before_bytes", &Outcome::live_before_bytes},
    std::pair{"live_peak_bytes", &Outcome::live_peak_bytes},
    std::pair{"live_mean_bytes", &Outcome::live_mean_bytes},
    std::pair{"purge_calls", &Outcome::purge_calls},
    std::pair{"purge_pages", &Outcome::purge_pages},
    std::pair{"counters", &Outcome::counters},
    std::pair{"drained", &Outcome::drained},
    std::pair{"stats", &Outcome::stats},
    std::pair{"timeline", &Outcome::timeline},
    std::pair{"calls", &Outcome::calls},
    std::pair{"requests", &Outcome::requests},
};

}  // namespace

nlohmann::json to_json(const Outcome& outcome) {
  nlohmann::json out;
  std::apply([&](const auto&... field) { ((out[field.first] = outcome.*field.second), ...); }, kFields);
  return out;
}

Outcome outcome_from(const nlohmann::json& json) {
  Outcome out;
  const auto read = [&](const auto& field) {
    try {
      json.at(field.first).get_to(out.*field.second);
    } catch (const nlohmann::json::exception& error) {
      throw std::runtime_error(std::string("the worker's result has no usable '") + field.first + "': " + error.what());
    }
  };
  std::apply([&](const auto&... field) { (read(field), ...); }, kFields);
  return out;
}

}  // namespace bench::worker

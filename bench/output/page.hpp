// report.html: one file that shows runs, and needs nothing else. The page itself (bench/output/page) is built ahead, with a
// place for the data; here the data are made and put in.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/output/read_run.hpp"

namespace bench {

// A run with what only the page shows of it.
struct PageRun {
  StoredRun run;
  std::vector<StoredTimeline> timelines;
  std::vector<StoredHistogram> histograms;
};

// All that the page draws, as JSON; bench/output/page/README.md describes it. The statistics of each choice of a baseline are
// made here, by the same functions as every other output. O(baselines * samples * log samples).
nlohmann::ordered_json page_data(std::span<const PageRun> runs);

// The page with the data in it, compressed. Throws std::runtime_error if the template has no place for them.
std::string render_page(std::string_view page_template, const nlohmann::ordered_json& data);

}  // namespace bench

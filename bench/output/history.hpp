// history.html: each metric over the commits at which runs were made, with the places where it changed. The page itself (page/src/
// history.js) is built ahead; here its data are made.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/output/read_run.hpp"

namespace bench {

// A folder whose figures are not in the history.
struct LeftOut {
  std::string folder;  // its name
  std::string why;
};

// The runs of a folder's subfolders, by date.
struct History {
  std::vector<StoredRun> runs;
  std::vector<LeftOut> left_out;
};

// Reads every subfolder; what is no run that this version reads is in left_out, with the reason. Throws UnreadableRun if `folder` is no
// directory or holds no run at all that can be read.
History read_history(const std::filesystem::path& folder);

// All that the page draws; page/README.md describes it. A series is the ratio of one allocator to the baseline in one metric, of a kind's
// mean (within one suite: another has other cells) or of one cell. Change points are looked for among neighbouring runs of one host and
// one file of the baseline. O(runs * samples * log samples).
nlohmann::ordered_json history_data(const History& history);

}  // namespace bench

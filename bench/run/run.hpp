// `bench run` as a whole: from options to a directory of results and a report.
#pragma once

#include <string>
#include <vector>

#include "bench/output/report.hpp"
#include "bench/cells/layout.hpp"
#include "bench/plan/options.hpp"

namespace bench {

struct RunResult {
  Report report;
  std::filesystem::path out;
  double took_s = 0;         // from the start to the last file written
  bool interrupted = false;
  std::string stopped_by;  // why not all could be measured or kept, in one line; empty: nothing stopped it
};

// Throws UsageError, allocators::UnusableAllocator or OutputError before anything is measured; later troubles are in the result.
RunResult run(const RunOptions& options);

// The command line that began the run in `folder`, and where it was typed. Throws UsageError if there is none.
struct EarlierCommand {
  std::vector<std::string> words;
  std::filesystem::path working_folder;
};
EarlierCommand earlier_command(const std::filesystem::path& folder);

}  // namespace bench

// Which malloc suits a program: what was measured, put into one screen that ends in a recommendation. Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/advise/growth.hpp"
#include "bench/advise/trace_cost.hpp"
#include "bench/output/report.hpp"

namespace bench {

// All that the advice rests on.
struct Findings {
  std::string command;             // as the user typed it, or the trace
  Report report;                   // of whole runs side by side, one workload; with_cpu_time() has been applied
  bool has_metric = false;         // the program's own figure is its speed, not its wall time
  bool is_trace = false;           // a trace was replayed: there is no program whose time or memory could be seen
  double took_s = 0;
  int blocks = 0;
  std::vector<TraceCost> costs;    // in the report's order of allocators; empty: nothing was recorded
  std::string why_not_recorded;    // in one line, where costs are empty
  double recorded_share = 1;       // of the program's time that the recording covers
  double trace_s = 0;              // how long the trace took when it was recorded
  std::optional<Trend> live;       // of the recorded run
  double live_at_end_bytes = 0;
  std::map<std::string, Trend> resident;  // of one run under each allocator
};

// The report with the metric cpu_time, user and system time together.
Report with_cpu_time(Report report);

enum class Choice {
  kSwitch,        // to `winner`, which is better in something and worse in nothing
  kTrade,         // `winner` is cheaper, but worse in something
  kNoDifference,  // shown: all are the same within the margin
  kNotShown,      // nothing better was shown
  kUnknown,       // the baseline has no figures
};

struct Recommendation {
  Choice choice = Choice::kUnknown;
  std::string winner;    // the baseline where nothing is better
  std::string sentence;
};

Recommendation recommend(const Findings& findings);

// At most 40 lines of at most 80 columns, but for paths of libraries.
std::string render_advice(const Findings& findings);

}  // namespace bench

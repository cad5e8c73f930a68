// The host's card: what a reader must know of the machine to judge whether figures from it hold for another.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/measure/host_costs.hpp"

namespace bench {

// Keys: line (all that matters in one line, for reports); costs {system_call_ns, clock_ns, small_page_ns, huge_page_ns, give_back_ns {"1", "33",
// "34", "512"}, slice_spread, apart_spread}; hypervisor, clock_source, swap_bytes, swap_used_bytes, steal_share (of CPU time since the
// start), pressure (cpu, some, avg10, in %), huge_pages {enabled, defrag, sizes {"64": "inherit", ...} of those that are not "never"},
// overcommit {memory, ratio}, cgroup {memory.max, memory.high, cpu.max, pids.max as far as they limit}, perf (what can be counted, or why
// not), smt, numa_nodes, numa_balancing. What cannot be read is left out.
nlohmann::json host_card(Effort effort);

}  // namespace bench

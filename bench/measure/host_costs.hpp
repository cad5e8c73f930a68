// What this machine charges for what allocators ask of it. Hosts differ eightfold in the cost of a page fault, so ratios of work that faults
// do not travel from one to another: these figures say how far.
//
// Each is a median over many tries, in ns, taken on the calling thread. Nothing else should run meanwhile. Not thread-safe.
#pragma once

#include <optional>
#include <vector>

namespace bench {

enum class Effort {
  kQuick,     // below 2 s: with every run
  kThorough,  // about 20 s: bench doctor
};

struct GiveBackCost {
  int pages;  // of the smallest size, in one madvise(MADV_DONTNEED); from 34 on x86 drops the whole TLB
  double ns;  // of the call
};

struct HostCosts {
  double system_call_ns = 0;             // the least there is
  double clock_ns = 0;                   // a reading of CLOCK_MONOTONIC
  double small_page_ns = 0;              // the first touch of a page
  std::optional<double> huge_page_ns;    // the first touch of 2 MiB as one page; nothing where the kernel gives none
  std::vector<GiveBackCost> give_back;   // of 1, 33, 34 and 512 pages
  double slice_spread = 0;               // SD (by quartiles) of the log ratio of two equal slices of work of 5 ms, one after the other
  double apart_spread = 0;               // the same of slices 50 ms apart
};

HostCosts measure_host_costs(Effort effort);

}  // namespace bench

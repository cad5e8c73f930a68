// Which ratios are shown to differ from 1, which are shown to be the same within a margin, and how large a difference could have been
// seen.
//
// "Differs" and "same" are claims of their own: Student's t of the mean log-ratio, and two one-sided t tests against the margin. In each
// family of tests Benjamini's and Hochberg's rule holds the share of wrong claims at 1 - confidence. A difference must be claimed in two
// families, all candidates' ratios of its metric and all metrics of its allocator; "same" in the first. Ratios of 1 in every block (counts
// that no allocator has a part in) take no part in the second. A ratio that could claim both differs. One whose own interval excludes 1 is never the same.
#pragma once

#include <span>

#include "bench/stats/summary.hpp"

namespace bench {

// Fills in the intervals, p-values, verdicts and detectable differences of all rows that have log-ratios.
void judge(std::span<Summary> rows, const SummaryOptions& options);

// The blocks at which a cell with `blocks` blocks was looked at: {5, 10, 12} for 12 blocks and a first look at 5. Never more than
// looks.count: the last is all there is.
std::vector<int> looks_at(const Looks& looks, int blocks);

// Whether more blocks could help: a candidate's verdict on `metric` is open, and its interval is wider than +-precision (a share).
bool is_open(const Summary& row, double precision);

}  // namespace bench

// One part of a run that several processes or hosts share: which of the plan's cells are its own.
#pragma once

#include <optional>
#include <string>

namespace bench {

// Cell number n of the plan, from 0, belongs to the shard of index n % count + 1. Each has all blocks of its cells.
struct Shard {
  int index = 1;  // from 1
  int count = 1;

  [[nodiscard]] bool holds(std::size_t cell) const { return cell % static_cast<std::size_t>(count) == static_cast<std::size_t>(index - 1); }
};

// "2/8"; throws UsageError.
Shard parse_shard(const std::string& text);

// What GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX say, else TEST_TOTAL_SHARDS and TEST_SHARD_INDEX (indices from 0); none if neither is
// set. Throws UsageError for half a pair and for what is no number. Reads the environment: not while another thread changes it.
std::optional<Shard> shard_of_environment();

// "2/8", as parse_shard reads it.
std::string to_string(const Shard& shard);

}  // namespace bench

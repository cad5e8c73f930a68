#include "bench/plan/shard.hpp"

#include <charconv>
#include <cstdlib>

#include "bench/plan/suite.hpp"

namespace bench {
namespace {

constexpr int kMostShards = 100'000;

// None if the text is not a whole number from `least` to `most`.
std::optional<int> whole_number(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc{} && end == text.data() + text.size() && !text.empty();
  return is_number && value >= least && value <= most ? std::optional(value) : std::nullopt;
}

std::optional<Shard> shard_in(const std::string& total_name, const std::string& index_name) {
  const char* total = std::getenv(total_name.c_str());
  const char* index = std::getenv(index_name.c_str());
  if (total == nullptr && index == nullptr) {
    return std::nullopt;
  }
  if (total == nullptr || index == nullptr) {
    throw UsageError((total == nullptr ? index_name : total_name) + " is set without " + (total == nullptr ? total_name : index_name) +
                     ": set both, or neither, or give --shard=I/N");
  }
  const auto count = whole_number(total, 1, kMostShards);
  const auto from_zero = count ? whole_number(index, 0, *count - 1) : std::nullopt;
  if (!from_zero) {
    throw UsageError(index_name + "=" + index + " of " + total_name + "=" + total + " is no shard: the index goes from 0 to the total - 1");
  }
  return Shard{*from_zero + 1, *count};
}

}  // namespace

Shard parse_shard(const std::string& text) {
  const auto slash = text.find('/');
  const auto count = slash == std::string::npos ? std::nullopt : whole_number(text.substr(slash + 1), 1, kMostShards);
  const auto index = count ? whole_number(text.substr(0, slash), 1, *count) : std::nullopt;
  if (!index) {
    throw UsageError("--shard must be I/N, such as 1/4 (the first of four; I goes from 1 to N), not '" + text + "'");
  }
  return {*index, *count};
}

std::optional<Shard> shard_of_environment() {
  const auto of_gtest = shard_in("GTEST_TOTAL_SHARDS", "GTEST_SHARD_INDEX");
  return of_gtest ? of_gtest : shard_in("TEST_TOTAL_SHARDS", "TEST_SHARD_INDEX");
}

std::string to_string(const Shard& shard) { return std::to_string(shard.index) + "/" + std::to_string(shard.count); }

}  // namespace bench

#include "bench/stats/cell_fates.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace bench {
namespace {

using CellKey = std::pair<std::string, int>;

struct CellState {
  std::set<int> blocks;
  std::set<int> failed_blocks;
  std::string how;  // the first of them

  [[nodiscard]] bool failed() const { return !failed_blocks.empty(); }
  [[nodiscard]] bool mostly_failed() const { return 2 * failed_blocks.size() > blocks.size(); }
};

std::map<CellKey, CellState> states_of(const Side& side) {
  std::map<CellKey, CellState> states;
  for (const Sample& sample : side.samples) {
    if (sample.allocator != side.allocator || sample.status == Status::kSkipped) {
      continue;
    }
    CellState& state = states[{sample.workload, sample.threads}];
    state.blocks.insert(sample.block);
    if (sample.status == Status::kOk) {
      continue;
    }
    if (state.failed_blocks.empty()) {
      state.how = std::string(to_string(sample.status)) + (sample.detail.empty() ? "" : ": " + sample.detail);
    }
    state.failed_blocks.insert(sample.block);
  }
  return states;
}

std::optional<Fate> fate_of(const CellState* before, const CellState* after) {
  if (before == nullptr || after == nullptr) {
    return after == nullptr ? Fate::kOnlyBefore : Fate::kOnlyAfter;
  }
  if (!before->failed()) {
    return after->failed() ? std::optional(Fate::kBroke) : std::nullopt;
  }
  if (!after->failed()) {
    return Fate::kMended;
  }
  // A failure once in a while does not excuse one that has become the rule.
  return after->mostly_failed() && !before->mostly_failed() ? Fate::kBroke : Fate::kFailedInBoth;
}

}  // namespace

std::string_view to_string(Fate fate) {
  switch (fate) {
    case Fate::kBroke:
      return "broke";
    case Fate::kMended:
      return "mended";
    case Fate::kFailedInBoth:
      return "failed in both";
    case Fate::kOnlyBefore:
      return "only before";
    default:
      return "only after";
  }
}

std::vector<CellFate> fates_between(const Side& before, const Side& after) {
  const auto first = states_of(before);
  const auto second = states_of(after);
  std::set<CellKey> cells;
  for (const auto* states : {&first, &second}) {
    for (const auto& [key, state] : *states) {
      cells.insert(key);
    }
  }
  const auto state_in = [](const std::map<CellKey, CellState>& states, const CellKey& key) {
    const auto found = states.find(key);
    return found == states.end() ? nullptr : &found->second;
  };
  std::vector<CellFate> fates;
  for (const CellKey& key : cells) {
    const CellState* was = state_in(first, key);
    const CellState* is = state_in(second, key);
    const std::optional<Fate> fate = fate_of(was, is);
    if (!fate) {
      continue;
    }
    const bool one_side = *fate == Fate::kOnlyBefore || *fate == Fate::kOnlyAfter;
    fates.push_back({key.first, key.second, std::string(after.allocator), *fate, one_side ? "" : is->failed() ? is->how : was->how});
  }
  return fates;
}

}  // namespace bench

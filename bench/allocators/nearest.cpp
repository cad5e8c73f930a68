#include "bench/allocators/nearest.hpp"

#include <algorithm>
#include <numeric>

namespace allocators {
namespace {

constexpr std::size_t kListedNames = 30;

// Levenshtein's distance, one row at a time.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string joined(std::span<const std::string> names, std::string_view separator) {
  std::string out;
  for (const auto& name : names) {
    out.append(out.empty() ? "" : separator).append(name);
  }
  return out;
}

}  // namespace

std::vector<std::string> nearest(std::string_view name, std::span<const std::string> known) {
  std::vector<std::pair<std::size_t, std::string>> close;
  for (const auto& candidate : known) {
    const bool prefix = name.size() >= 2 && (candidate.starts_with(name) || name.starts_with(candidate));
    const std::size_t edits = prefix ? 1 : edits_between(name, candidate);
    if (edits <= (std::min(name.size(), candidate.size()) + 1) / 2) {
      close.emplace_back(edits, candidate);
    }
  }
  std::stable_sort(close.begin(), close.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, close.size()); ++i) {
    out.push_back(close[i].second);
  }
  return out;
}

std::string unknown_name_message(std::string_view kind, std::string_view name, std::span<const std::string> known) {
  std::string out = "unknown " + std::string(kind) + " '" + std::string(name) + "'";
  const auto close = nearest(name, known);
  if (!close.empty()) {
    out += "; did you mean " + joined(close, " or ") + "?";
  }
  const auto listed = known.first(std::min(known.size(), kListedNames));
  out += (close.empty() ? "; known: " : " Known: ") + joined(listed, ", ");
  if (listed.size() < known.size()) {
    out += ", ...";
  }
  return out;
}

}  // namespace allocators

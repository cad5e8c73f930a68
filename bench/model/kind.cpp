#include "bench/model/kind.hpp"

#include <utility>

namespace bench {
namespace {

constexpr std::array<std::pair<std::string_view, Kind>, 4> kWordsOfTheCatalogue{
    {{"realistic", Kind::kLibraries}, {"server", Kind::kPrograms}, {"trace", Kind::kTraces}, {"user", Kind::kOwn}}};

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kPrograms:
      return "programs";
    case Kind::kLibraries:
      return "libraries";
    case Kind::kTraces:
      return "traces";
    case Kind::kSynthetic:
      return "synthetic";
    case Kind::kOwn:
      return "own";
  }
  return "own";
}

std::optional<Kind> kind_named(std::string_view word) {
  for (const Kind kind : kKinds) {
    if (to_string(kind) == word) {
      return kind;
    }
  }
  for (const auto& [known, kind] : kWordsOfTheCatalogue) {
    if (known == word) {
      return kind;
    }
  }
  return std::nullopt;
}

std::string_view family_of(std::string_view workload) { return workload.substr(0, workload.find(':')); }

}  // namespace bench

// regex: log lines searched by the C++ library's regular expressions.
//
// Question: what does an allocator cost a matcher that keeps its automaton in growing vectors, and
// a vector of groups on every step back?
//
// Origin: std::regex of libstdc++, which C++ programs use where speed seems not to matter.
//
// Parameters: lines in a batch.
//
// An iteration compiles six patterns, searches a batch of lines with each, and takes out every
// group. Each thread starts at another line. The pcre2 workload does the same work.
#include <cstdint>
#include <memory>
#include <regex>
#include <string>
#include <string_view>

#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/log_lines.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

void search(const std::regex& pattern, std::string_view line, Digest& digest) {
  std::cmatch match;
  if (!std::regex_search(line.data(), line.data() + line.size(), match, pattern)) {
    return;
  }
  for (const auto& group : match) {
    const std::string text = group.str();
    digest.add(text);
  }
}

class Regex : public Workload {
 public:
  explicit Regex(const Setup& setup) : lines_(setup.seed(), 4096), batch_(setup.count("lines")) {}

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    std::size_t first = static_cast<std::size_t>(thread_index);
    for (; steps.next(); first += batch_) {
      for (const char* text : kLogPatterns) {
        const std::regex pattern(text);
        for (std::size_t line = 0; line < batch_; ++line) {
          search(pattern, lines_[first + line], digest);
        }
      }
    }
    const std::uint64_t searches = batch_ * std::size(kLogPatterns);
    return {static_cast<std::uint64_t>(steps.total()) * searches, digest.value()};
  }

 private:
  LogLines lines_;
  std::size_t batch_;
};

const Registration registration(
    {.name = "regex",
     .question = "What does a matcher cost that keeps its groups in vectors made at each try?",
     .origin = "std::regex: log lines searched by patterns compiled for each batch",
     .operation = "a line searched by a pattern",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"lines", 20, "lines", "lines in a batch", 1, 1000000}},
     .smoke_iterations = 3,
     .profile = "a few KiB; nine of ten blocks up to 15 bytes; lives of a search or less"},
    [](const Setup& setup) { return std::make_unique<Regex>(setup); });

}  // namespace
}  // namespace workloads

// pcre2: log lines searched by patterns that are compiled for each batch.
//
// Question: what does an allocator cost a matcher: a compiled pattern, match data of tens of KiB,
// and a copy of every substring taken out?
//
// Origin: PCRE2 without its just-in-time compiler, used as scripting languages use it.
//
// Parameters: lines in a batch.
//
// An iteration compiles six patterns, searches a batch of lines with each, and takes out every
// group. Each thread starts at another line.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/log_lines.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

struct Free {
  void operator()(pcre2_code* pattern) const { pcre2_code_free(pattern); }
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
  void operator()(PCRE2_UCHAR* text) const { pcre2_substring_free(text); }
};
using Pattern = std::unique_ptr<pcre2_code, Free>;
using Match = std::unique_ptr<pcre2_match_data, Free>;
using Substring = std::unique_ptr<PCRE2_UCHAR, Free>;

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

Pattern compile(std::string_view pattern) {
  int error = 0;
  std::size_t offset = 0;
  Pattern compiled(pcre2_compile(units(pattern), pattern.size(), 0, &error, &offset, nullptr));
  if (!compiled) {
    throw std::runtime_error("pcre2: cannot compile " + std::string(pattern));
  }
  return compiled;
}

// Adds every group of the first match, copied out.
void search(const pcre2_code* pattern, std::string_view line, Digest& digest) {
  const Match match(pcre2_match_data_create_from_pattern(pattern, nullptr));
  const int groups = pcre2_match(pattern, units(line), line.size(), 0, 0, match.get(), nullptr);
  if (groups < 0 && groups != PCRE2_ERROR_NOMATCH) {
    throw std::runtime_error("pcre2: no result");
  }
  for (int group = 0; group < groups; ++group) {
    PCRE2_UCHAR* text = nullptr;
    std::size_t size = 0;
    const auto number = static_cast<std::uint32_t>(group);
    if (pcre2_substring_get_bynumber(match.get(), number, &text, &size) < 0) {
      continue;
    }
    const Substring owned(text);
    digest.add({reinterpret_cast<const char*>(text), size});
  }
}

class Pcre2 : public Workload {
 public:
  explicit Pcre2(const Setup& setup) : lines_(setup.seed(), 4096), batch_(setup.count("lines")) {}

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    std::size_t first = static_cast<std::size_t>(thread_index);
    for (; steps.next(); first += batch_) {
      for (const char* text : kLogPatterns) {
        const Pattern pattern = compile(text);
        for (std::size_t line = 0; line < batch_; ++line) {
          search(pattern.get(), lines_[first + line], digest);
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
    {.name = "pcre2",
     .question = "What does a matcher cost that makes match data and copies for every search?",
     .origin = "PCRE2: log lines searched by patterns compiled for each batch",
     .operation = "a line searched by a pattern",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"lines", 100, "lines", "lines in a batch", 1, 1000000}},
     .smoke_iterations = 5,
     .profile = "a few KiB; half of the blocks up to 63 bytes, one in five a match's 20 KiB; lives "
                "of a search"},
    [](const Setup& setup) { return std::make_unique<Pcre2>(setup); });

}  // namespace
}  // namespace workloads

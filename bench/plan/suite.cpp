#include "bench/plan/suite.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "bench/allocators/nearest.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr int kMostThreads = 4096;
constexpr const char* kCpus = "cpus";

template <typename Integer>
Integer parse_count(const std::string& what, const std::string& text, Integer least, Integer most) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    throw UsageError(what + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                     ", not '" + text + "'");
  }
  return value;
}

std::vector<double> parse_times(const std::string& what, const std::string& text) {
  std::vector<double> times;
  for (const auto& piece : split_list(text)) {
    times.push_back(parse_seconds(what, piece));
  }
  if (!std::is_sorted(times.begin(), times.end())) {
    throw UsageError(what + " must be ascending times, not '" + text + "'");
  }
  return times;
}

// One count: "4", "cpus", or a multiple of these: "2cpus". 0 if it is none of them, or out of range.
int thread_count(std::string_view text, int cpus) {
  int factor = 1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), factor);
  const bool has_number = end != text.data();
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (error == std::errc::result_out_of_range || factor < 1 || factor > kMostThreads || (!text.empty() && text != kCpus) ||
      (text.empty() && !has_number)) {
    return 0;
  }
  const std::int64_t count = std::int64_t{factor} * (text.empty() ? 1 : cpus);
  return count <= kMostThreads ? static_cast<int>(count) : 0;
}

// The counts of one item of a list: itself, or for "1..2cpus" the first, its doublings, and the last. Empty: not understood.
std::vector<int> counts_of_item(const std::string& item, int cpus) {
  const auto dots = item.find("..");
  if (dots == std::string::npos) {
    const int count = thread_count(item, cpus);
    return count == 0 ? std::vector<int>() : std::vector<int>{count};
  }
  const int first = thread_count(std::string_view(item).substr(0, dots), cpus);
  const int last = thread_count(std::string_view(item).substr(dots + 2), cpus);
  std::vector<int> counts;
  for (int count = first; count > 0 && count < last; count *= 2) {
    counts.push_back(count);
  }
  if (first > 0 && first <= last) {
    counts.push_back(last);
  }
  return counts;
}

struct Setting {
  std::string key;
  std::string value;  // empty for a bare word
};

Setting split_setting(const std::string& word) {
  const auto equals = word.find('=');
  return equals == std::string::npos ? Setting{word, ""} : Setting{word.substr(0, equals), word.substr(equals + 1)};
}

void apply_to_suite(Suite& suite, const std::string& word, const std::string& where, int cpus) {
  const auto [key, value] = split_setting(word);
  const std::string what = where + key;
  if (key == "repetitions") {
    suite.repetitions = parse_count(what, value, 1, 1000);
  } else if (key == "min-time") {
    suite.min_time_s = parse_seconds(what, value);
  } else if (key == "timeout") {
    suite.timeout_s = parse_seconds(what, value);
  } else if (key == "threads") {
    suite.threads = parse_threads(what, value, cpus);
  } else if (key == "drain") {
    suite.drain_s = parse_times(what, value);
  } else if (key == "memory-blocks") {
    suite.memory_blocks = parse_count(what, value, 0, 1000);
  } else if (key == "floor" && (value == "yes" || value == "no")) {
    suite.floor = value == "yes";
  } else if (key == "memory" && (value == "all" || value == "marked")) {
    suite.memory_everywhere = value == "all";
  } else {
    throw UsageError(where + "unknown setting '" + word +
                     "'; known: repetitions, min-time, timeout, threads, drain, memory-blocks, memory=all|marked, floor=yes|no");
  }
}

void apply_to_line(SuiteLine& line, const std::string& word, const std::string& where, int cpus) {
  const auto [key, value] = split_setting(word);
  const std::string what = where + key;
  if (key == "threads") {
    line.threads = parse_threads(what, value, cpus);
  } else if (key == "min-time") {
    line.min_time_s = parse_seconds(what, value);
  } else if (key == "iterations") {
    line.iterations = parse_count<std::int64_t>(what, value, 1, 1'000'000'000'000'000);
  } else if (word == "memory") {
    line.memory = true;
  } else {
    throw UsageError(where + "unknown setting '" + word + "'; known: threads, min-time, iterations, memory");
  }
}

// "# What for? And more." -> "What for?"
std::string purpose_of(const std::string& comment) {
  const auto first = comment.find_first_not_of("# \t");
  if (first == std::string::npos) {
    return {};
  }
  const auto end = comment.find_first_of(".?:", first);
  const bool keeps_mark = end != std::string::npos && comment[end] == '?';
  return comment.substr(first, std::min(end, comment.size()) - first + (keeps_mark ? 1 : 0));
}

Suite load_file(const fs::path& file, int cpus) {
  std::ifstream in(file);
  if (!in) {
    throw UsageError("cannot read the suite " + file.string());
  }
  return parse_suite(in, file.stem().string(), file.string(), cpus);
}

std::vector<fs::path> files_matching(const fs::path& folder, const std::string& name) {
  if (name.find('/') != std::string::npos || name.ends_with(".suite")) {
    return {name};
  }
  const auto known = suite_names(folder);
  std::vector<fs::path> files;
  for (const auto& candidate : known) {
    if (fnmatch(name.c_str(), candidate.c_str(), 0) == 0) {
      files.push_back(folder / (candidate + ".suite"));
    }
  }
  if (files.empty()) {
    throw UsageError(allocators::unknown_name_message("suite", name, known) + "; or give the path of a .suite file");
  }
  return files;
}

void merge_lines(Suite& into, const Suite& from) {
  for (const auto& line : from.lines) {
    const bool present = std::any_of(into.lines.begin(), into.lines.end(),
                                     [&](const SuiteLine& other) { return other.workload == line.workload; });
    if (!present) {
      into.lines.push_back(line);
    }
  }
}

}  // namespace

double parse_seconds(const std::string& what, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) || value <= 0 || value > 1e6) {
    throw UsageError(what + " must be seconds above 0 and up to 1000000, not '" + text + "'");
  }
  return value;
}

std::vector<int> parse_threads(const std::string& what, const std::string& text, int cpus) {
  std::vector<int> threads;
  const auto refuse = [&](const std::string& item) {
    throw UsageError(what + " must be thread counts from 1 to " + std::to_string(kMostThreads) +
                     ", such as 1,2,cpus,2cpus or 1..2cpus (1, 2, 4, ... twice the CPUs), not '" + item + "'");
  };
  for (const auto& item : split_list(text)) {
    const auto counts = counts_of_item(item, cpus);
    if (counts.empty()) {
      refuse(item);
    }
    threads.insert(threads.end(), counts.begin(), counts.end());
  }
  if (threads.empty()) {
    refuse(text);
  }
  return threads;
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> pieces;
  std::istringstream in(text);
  for (std::string piece; std::getline(in, piece, ',');) {
    pieces.push_back(piece);
  }
  return pieces;
}

Suite parse_suite(std::istream& text, const std::string& name, const std::string& origin, int cpus) {
  Suite suite;
  suite.name = name;
  suite.threads = {1, cpus};
  int number = 0;
  for (std::string row; std::getline(text, row);) {
    ++number;
    const std::string where = origin + ":" + std::to_string(number) + ": ";
    std::istringstream words(row.substr(0, row.find('#')));
    std::string first;
    if (!(words >> first)) {
      suite.purpose = number == 1 ? purpose_of(row) : suite.purpose;
      continue;
    }
    SuiteLine line;
    line.workload = first;
    for (std::string word; words >> word;) {
      if (first == "set") {
        apply_to_suite(suite, word, where, cpus);
      } else {
        apply_to_line(line, word, where, cpus);
      }
    }
    if (first != "set") {
      suite.lines.push_back(std::move(line));
    }
  }
  if (suite.lines.empty()) {
    throw UsageError(origin + " names no workload; write one a line");
  }
  return suite;
}

std::vector<std::string> suite_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& file : fs::directory_iterator(folder, missing)) {
    if (file.path().extension() == ".suite") {
      names.push_back(file.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

Suite load_suites(const fs::path& folder, const std::vector<std::string>& names, int cpus) {
  std::optional<Suite> all;
  std::set<fs::path> taken;
  for (const auto& name : names) {
    for (const auto& file : files_matching(folder, name)) {
      if (!taken.insert(fs::weakly_canonical(file)).second) {
        continue;
      }
      const Suite next = load_file(file, cpus);
      if (!all) {
        all = next;
      } else {
        merge_lines(*all, next);
        all->name += "+" + next.name;
      }
    }
  }
  if (!all) {
    throw UsageError("no suite is named; see `bench list suites`");
  }
  return *all;
}

}  // namespace bench

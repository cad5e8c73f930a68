#include "bench/run/suite.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "allocator/api/nearest.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr int kMostThreads = 4096;

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

struct Setting {
  std::string key;
  std::string value;  // empty for a bare word
};

Setting split_setting(const std::string& word) {
  const auto equals = word.find('=');
  return equals == std::string::npos ? Setting{word, ""} : Setting{word.substr(0, equals), word.substr(equals + 1)};
}

void apply_to_suite(Suite& suite, const std::string& word, const std::string& where) {
  const auto [key, value] = split_setting(word);
  const std::string what = where + key;
  if (key == "repetitions") {
    suite.repetitions = parse_count(what, value, 1, 1000);
  } else if (key == "min-time") {
    suite.min_time_s = parse_seconds(what, value);
  } else if (key == "timeout") {
    suite.timeout_s = parse_seconds(what, value);
  } else if (key == "threads") {
    suite.threads = parse_threads(what, value);
  } else if (key == "drain") {
    suite.drain_s = parse_times(what, value);
  } else if (key == "memory-blocks") {
    suite.memory_blocks = parse_count(what, value, 0, 1000);
  } else if (key == "memory" && (value == "all" || value == "marked")) {
    suite.memory_everywhere = value == "all";
  } else {
    throw UsageError(where + "unknown setting '" + word +
                     "'; known: repetitions, min-time, timeout, threads, drain, memory-blocks, memory=all|marked");
  }
}

void apply_to_line(SuiteLine& line, const std::string& word, const std::string& where) {
  const auto [key, value] = split_setting(word);
  const std::string what = where + key;
  if (key == "threads") {
    line.threads = parse_threads(what, value);
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

Suite load_file(const fs::path& file) {
  std::ifstream in(file);
  if (!in) {
    throw UsageError("cannot read the suite " + file.string());
  }
  return parse_suite(in, file.stem().string(), file.string());
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

std::vector<int> parse_threads(const std::string& what, const std::string& text) {
  std::vector<int> threads;
  for (const auto& piece : split_list(text)) {
    threads.push_back(piece == "cpus" ? 0 : parse_count(what, piece, 1, kMostThreads));
  }
  if (threads.empty()) {
    throw UsageError(what + " needs thread counts, for example 1,2,cpus");
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

Suite parse_suite(std::istream& text, const std::string& name, const std::string& origin) {
  Suite suite;
  suite.name = name;
  int number = 0;
  for (std::string row; std::getline(text, row);) {
    ++number;
    const std::string where = origin + ":" + std::to_string(number) + ": ";
    std::istringstream words(row.substr(0, row.find('#')));
    std::string first;
    if (!(words >> first)) {
      continue;
    }
    SuiteLine line;
    line.workload = first;
    for (std::string word; words >> word;) {
      if (first == "set") {
        apply_to_suite(suite, word, where);
      } else {
        apply_to_line(line, word, where);
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

Suite load_suites(const fs::path& folder, const std::vector<std::string>& names) {
  std::optional<Suite> all;
  for (const auto& name : names) {
    for (const auto& file : files_matching(folder, name)) {
      const Suite next = load_file(file);
      if (!all) {
        all = next;
      } else if (all->name.find(next.name) == std::string::npos) {
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

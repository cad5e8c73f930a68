#include "bench/output/read_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "bench/output/csv_file.hpp"
#include "bench/output/run_directory.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

[[noreturn]] void fail(const fs::path& path, std::string_view reason, std::string_view remedy) {
  throw UnreadableRun(fmt::format("{}: {}; {}", path.string(), reason, remedy));
}

constexpr std::string_view kGiveARun = "give a directory that bench wrote (--out, or one under results/)";
constexpr std::string_view kFinishIt = "go on with the run (bench --resume DIR) or take an undamaged copy";
constexpr std::string_view kOtherVersion = "measure again with this version, or read it with the bench of the commit in its environment.json";

void check_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    fail(folder, fs::exists(folder, error) ? "not a directory" : "no such directory", kGiveARun);
  }
  for (const char* name : {"environment.json", "samples.csv"}) {
    if (!fs::is_regular_file(packed_or_plain(folder / name), error)) {
      fail(folder, fmt::format("not a run of bench: it has no {}", name), kGiveARun);
    }
  }
}

json read_environment(const fs::path& file) {
  std::ifstream in(file);
  json environment = json::parse(in, nullptr, false);
  if (!environment.is_object()) {
    fail(file, "damaged: not a JSON object", kFinishIt);
  }
  return environment;
}

std::vector<std::string> words_in(const json& environment, const char* key) {
  std::vector<std::string> words;
  if (const auto found = environment.find(key); found != environment.end() && found->is_array()) {
    for (const json& word : *found) {
      if (word.is_string()) {
        words.push_back(word.get<std::string>());
      }
    }
  }
  return words;
}

std::vector<std::string> allocator_names(const json& environment, const fs::path& file) {
  std::vector<std::string> names;
  if (const auto found = environment.find("allocators"); found != environment.end() && found->is_array()) {
    for (const json& row : *found) {
      if (row.is_object() && row.contains("name") && row["name"].is_string()) {
        names.push_back(row["name"].get<std::string>());
      }
    }
  }
  if (names.empty()) {
    fail(file, "names no allocator", kFinishIt);
  }
  return names;
}

// Workloads in the order of the tables: those of the file that has them in order, or of the samples.
std::vector<std::string> workloads_in_order(const fs::path& folder, const std::vector<Sample>& samples) {
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) {
      names.push_back(name);
    }
  };
  std::ifstream in(folder / "summary.csv");
  std::string line;
  std::getline(in, line);  // the header
  while (std::getline(in, line)) {
    add(csv_fields(line)[0]);
  }
  for (const Sample& sample : samples) {
    add(sample.workload);
  }
  return names;
}

template <typename Value>
Value value_in(const json& environment, const char* key, Value otherwise) {
  const auto found = environment.find(key);
  if (found == environment.end() || found->is_null()) {
    return otherwise;
  }
  try {
    return found->get<Value>();
  } catch (const json::exception&) {
    return otherwise;
  }
}

RunFacts facts_in(json environment, const fs::path& folder) {
  RunFacts facts;
  const fs::path file = folder / "environment.json";
  facts.command = value_in<std::string>(environment, "command", "");
  facts.suite = value_in<std::string>(environment, "suite", "");
  facts.baseline = value_in<std::string>(environment, "baseline", "");
  facts.allocators = allocator_names(environment, file);
  facts.references = words_in(environment, "references");
  facts.repetitions = value_in(environment, "repetitions", 0);
  facts.min_time_s = value_in(environment, "min_time_s", 0.0);
  facts.seed = value_in<std::uint64_t>(environment, "seed", 0);
  facts.margin = value_in(environment, "margin", facts.margin);
  facts.bytes_per_cpu = value_in(environment, "memory_per_cpu_bytes", facts.bytes_per_cpu);
  const json looks = value_in(environment, "looks", json::object());
  facts.looks.first_blocks = value_in(looks, "first_blocks", facts.looks.first_blocks);
  facts.looks.count = value_in(looks, "count", facts.looks.count);
  facts.cut_off = value_in(environment, "cut_off", false);
  facts.environment = std::move(environment);
  return facts;
}

std::vector<Sample> samples_in(const fs::path& file) {
  try {
    if (!read_lines(file).whole) {
      fail(file, "cut short: its last row has no end", kFinishIt);
    }
    return read_samples(file);
  } catch (const UnreadableRun&) {
    throw;
  } catch (const OtherVersion& error) {
    throw UnreadableRun(fmt::format("{}; {}", error.what(), kOtherVersion));
  } catch (const std::runtime_error& error) {
    throw UnreadableRun(fmt::format("{}; {}", error.what(), kFinishIt));
  }
}

void check_baseline(const StoredRun& run) {
  const auto of_baseline = [&run](const Sample& sample) { return sample.allocator == run.facts.baseline; };
  if (std::ranges::none_of(run.samples, of_baseline)) {
    fail(run.folder, fmt::format("samples.csv has no row of the baseline, {}", run.facts.baseline),
         "take a run that measured it");
  }
}

}  // namespace

StoredRun read_run(const fs::path& folder) {
  check_folder(folder);
  StoredRun run{folder, facts_in(read_environment(folder / "environment.json"), folder),
                samples_in(packed_or_plain(folder / "samples.csv"))};
  if (run.samples.empty()) {
    fail(folder, "nothing was measured: samples.csv has no row", kFinishIt);
  }
  check_baseline(run);
  run.facts.workloads = workloads_in_order(folder, run.samples);
  return run;
}

namespace {

constexpr std::string_view kTimelinesHeader =
    "block,workload,threads,allocator,start_rss_bytes,time_s,rss_bytes,live_bytes,phase,pss_bytes,huge_bytes";

struct TimelineRow {
  StoredTimeline identity;  // without points
  TimelinePoint point;
};

bool read_number(const std::string& text, auto& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_row(const std::string& line, TimelineRow& row) {
  const std::vector<std::string> fields = csv_fields(line);
  if (fields.size() < 9) {
    return false;
  }
  row.identity.workload = fields[1];
  row.identity.allocator = fields[3];
  row.point.phase = fields[8];
  return read_number(fields[0], row.identity.block) && read_number(fields[2], row.identity.threads) &&
         read_number(fields[4], row.identity.start_rss_bytes) && read_number(fields[5], row.point.time_s) &&
         read_number(fields[6], row.point.rss_bytes) && read_number(fields[7], row.point.live_bytes);
}

std::vector<std::string> lines_in(const fs::path& file) {
  try {
    return read_lines(file).lines;
  } catch (const std::runtime_error& error) {
    throw UnreadableRun(fmt::format("{}; {}", error.what(), kFinishIt));
  }
}

// Without a file none; else the header and what follows.
std::vector<std::string> lines_if_there(const fs::path& file, std::string_view header, std::string_view what) {
  if (std::error_code error; !fs::exists(file, error)) {
    return {};
  }
  std::vector<std::string> lines = lines_in(file);
  if (lines.empty() || lines[0] != header) {
    fail(file, fmt::format("not the {} of a run of this version", what), kOtherVersion);
  }
  return lines;
}

bool same_process(const StoredTimeline& a, const StoredTimeline& b) {
  return a.block == b.block && a.threads == b.threads && a.workload == b.workload && a.allocator == b.allocator &&
         a.start_rss_bytes == b.start_rss_bytes;
}

}  // namespace

std::vector<StoredTimeline> read_timelines(const fs::path& folder) {
  const fs::path file = packed_or_plain(folder / "timelines.csv");
  const std::vector<std::string> lines = lines_if_there(file, kTimelinesHeader, "timelines");
  std::vector<StoredTimeline> timelines;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    TimelineRow row;
    if (!read_row(lines[i], row)) {
      fail(file, fmt::format("line {} is not a row of timelines", i + 1), kFinishIt);
    }
    if (timelines.empty() || !same_process(timelines.back(), row.identity)) {
      timelines.push_back(std::move(row.identity));
    }
    timelines.back().points.push_back(std::move(row.point));
  }
  return timelines;
}

std::vector<StoredHistogram> read_histograms(const fs::path& folder) {
  constexpr std::string_view kHeader = "block,workload,threads,allocator,function,from_ns,to_ns,count";
  const fs::path file = packed_or_plain(folder / "latency.csv");
  const std::vector<std::string> lines = lines_if_there(file, kHeader, "times of calls");
  std::vector<StoredHistogram> histograms;
  std::map<std::tuple<std::string, int, std::string, std::string>, std::size_t> places;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> fields = csv_fields(lines[i]);
    int threads = 0;
    double to_ns = 0;
    std::uint64_t count = 0;
    if (fields.size() != 8 || !read_number(fields[2], threads) || !read_number(fields[6], to_ns) || !read_number(fields[7], count)) {
      fail(file, fmt::format("line {} is not a row of times of calls", i + 1), kFinishIt);
    }
    const auto [found, is_new] = places.try_emplace({fields[1], threads, fields[3], fields[4]}, histograms.size());
    if (is_new) {
      histograms.push_back({fields[1], threads, fields[3], fields[4], {}});
    }
    histograms[found->second].calls[to_ns] += count;
  }
  return histograms;
}

}  // namespace bench

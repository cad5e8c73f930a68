#include "bench/run/progress.hpp"
#include "bench/cli/measure_words.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "bench/output/run_directory.hpp"
#include "bench/plan/quantities.hpp"
#include "bench/plan/suite.hpp"

namespace bench::cli {
namespace {

std::uint64_t parse_whole(const std::string& what, const std::string& text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    throw UsageError(what + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                     ", not '" + text + "'");
  }
  return value;
}

std::string read_against(const std::string& names) {
  if (names.find_first_not_of(", ") == std::string::npos) {
    throw UsageError("--against needs names, such as --against=glibc,jemalloc; --against=none compares with nothing else");
  }
  const auto pieces = split_list(names);
  if (pieces.size() > 1 && std::find(pieces.begin(), pieces.end(), "none") != pieces.end()) {
    throw UsageError("--against=none compares with nothing: it cannot stand beside other names (" + names + ")");
  }
  return names == "none" ? "" : names;
}

void say_warnings(const Report& report) {
  for (const auto& warning : report.warnings) {
    std::fprintf(stderr, "bench: warning: %s; %s\n", warning.what.c_str(), warning.remedy.c_str());
  }
}

}  // namespace

std::string shell_quoted(const std::string& word) {
  constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
    return word;
  }
  // A line's end would break the line that shows the command: $'...' can write it, and any other control character.
  const bool has_control = std::any_of(word.begin(), word.end(), [](unsigned char c) { return c < ' ' || c == 127; });
  std::string out = has_control ? "$'" : "'";
  for (const char c : word) {
    if (static_cast<unsigned char>(c) < ' ' || c == 127) {
      constexpr const char* kDigits = "0123456789abcdef";
      out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string("\\x") + kDigits[c >> 4] + kDigits[c & 15];
    } else if (c == '\'' || (has_control && c == '\\')) {
      out += has_control ? std::string("\\") + c : "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string joined(const std::vector<std::string>& pieces, const char* separator) {
  std::string out;
  for (const auto& piece : pieces) {
    out += (out.empty() ? "" : separator) + piece;
  }
  return out;
}

Format read_format(const std::string& name) {
  if (const auto format = format_named(name)) {
    return *format;
  }
  std::vector<std::string> known;
  for (const auto& format : stdout_formats()) {
    known.emplace_back(format.name);
  }
  throw UsageError("unknown format '" + name + "'; known: " + joined(known, ", "));
}

int conclude(const RunResult& result, const Format& format) {
  write_stdout(format.render(result.report, style_of_stdout()));
  if (format.name != "table") {  // which shows them itself
    say_warnings(result.report);
  }
  const int status = conclude_without_report(result);
  if (!result.interrupted && result.stopped_by.empty() && !result.report.samples.empty()) {
    std::fprintf(stderr, "bench: %s\n", offer_page(result.out, result.report).c_str());
  }
  return status;
}

int conclude_without_report(const RunResult& result) {
  const auto failures = failure_lines(result.report);
  for (const auto& line : failures) {
    std::fprintf(stderr, "bench: failed: %s\n", line.c_str());
  }
  std::fprintf(stderr, "bench: took %s; results in %s\n", format_duration(result.took_s).c_str(), result.out.c_str());
  if (!result.stopped_by.empty()) {
    std::fprintf(stderr, "bench: %s\n", result.stopped_by.c_str());
    return kSomeFailed;
  }
  if (result.interrupted) {
    std::fprintf(stderr, "bench: interrupted; go on with: bench --resume %s\n", result.out.c_str());
    return kInterrupted;
  }
  return failures.empty() ? kAllMeasured : kSomeFailed;
}

void add_measure_options(CLI::App& command, MeasureWords& words) {
  command.add_option("--allocator", words.allocators, "what to measure: names, all, paths of shared objects, name=path[,ENV=VALUE]")
      ->type_name("A[,B]");
  command.add_option("--against", words.against, "what to compare with, none for nothing; default: every production allocator found, and the floor "
                     "unless the suite says floor=no")
      ->type_name("X[,Y]");
  command.add_option("--repetitions", words.repetitions, "blocks; default: the suite's, 5 for a program")->take_last()->type_name("N");
  command.add_option("--timeout", words.timeout, "seconds after which a process is ended")->take_last()->type_name("SECONDS");
  command.add_option("--seed", words.seed, "of all random orders and of the workloads' data; default 1")->take_last()->type_name("N");
  command.add_option("--margin", words.margin, "two figures are the same if shown to differ by less; default 2%")->take_last()->type_name("PERCENT");
  command.add_option("--precision", words.precision, "measure undecided cells again until their interval is within +- this, or 8 times the blocks")
      ->take_last()->type_name("PERCENT");
  command.add_option("--budget", words.budget, "measure undecided cells again until the run has taken this long, such as 10m")->take_last()->type_name("TIME");
  command.add_option("--memory-per-cpu", words.memory_per_cpu, "memory that costs as much as one CPU, for the metric cost; default 4GiB")
      ->take_last()->type_name("SIZE");
  command.add_option("--baseline", words.baseline, "to which ratios are taken; default: glibc if it takes part, else the first compared with")->take_last()->type_name("NAME");
  command.add_option("--out", words.out, "where results go; default results/local/<date>-<host>-<n>")->take_last()->type_name("DIR");
  command.add_option("--resume", words.resume, "go on with the run that was cut off in DIR")->take_last()->type_name("DIR");
  command.add_option("--format", words.format, "of the report on stdout: table, csv, json, markdown")->take_last()->type_name("NAME");
}

void read_measure_options(const MeasureWords& words, const Invocation& invocation, RunOptions& options) {
  if (words.allocators.empty()) {
    throw UsageError("say what to measure: --allocator=osmem (see bench list allocators)");
  }
  options.allocators = joined(words.allocators, ",");
  if (!words.against.empty()) {
    options.against = read_against(joined(words.against, ","));
  }
  if (!words.repetitions.empty()) {
    options.repetitions = static_cast<int>(parse_whole("--repetitions", words.repetitions, 1, 1000));
  }
  if (!words.timeout.empty()) {
    options.timeout_s = parse_seconds("--timeout", words.timeout);
  }
  if (!words.seed.empty()) {
    options.seed = parse_whole("--seed", words.seed, 0, UINT64_MAX);
  }
  if (!words.margin.empty()) {
    options.margin = parse_percent("--margin", words.margin);
  }
  if (!words.precision.empty()) {
    options.precision = parse_percent("--precision", words.precision);
  }
  if (!words.budget.empty()) {
    options.budget_s = parse_duration_s("--budget", words.budget);
  }
  if (!words.memory_per_cpu.empty()) {
    options.bytes_per_cpu = parse_bytes("--memory-per-cpu", words.memory_per_cpu);
  }
  options.baseline = words.baseline;
  options.out = words.out;
  options.words = invocation.words;
  options.command = "bench";
  for (const auto& word : invocation.words) {
    options.command += " " + shell_quoted(word);
  }
}

void refuse_beside_resume(const std::vector<std::string>& typed, const Invocation& invocation) {
  for (const auto& name : typed) {
    if (name != "--resume") {
      throw UsageError(name + " cannot stand beside --resume: the run goes on as it began; begin another to change it");
    }
  }
  if (!invocation.after_dashes.empty()) {
    throw UsageError("nothing can follow -- beside --resume: the run goes on as it began");
  }
}

int resume(const std::filesystem::path& folder) {
  const auto absolute = std::filesystem::absolute(folder);
  const EarlierCommand earlier = earlier_command(absolute);
  const auto dashes = std::find(earlier.words.begin(), earlier.words.end(), "--");
  Invocation invocation{earlier.words, {}};
  if (dashes != earlier.words.end()) {
    invocation.after_dashes.assign(dashes + 1, earlier.words.end());
  }
  std::vector<std::string> words(earlier.words.begin(), dashes);
  const bool is_exec = !words.empty() && words.front() == "exec";
  if (is_exec || (!words.empty() && words.front() == "run")) {
    words.erase(words.begin());
  }
  std::filesystem::current_path(earlier.working_folder);  // its paths were typed there
  std::string format;
  RunOptions options = is_exec ? exec_options(words, invocation, format) : run_options(words, invocation, format);
  options.resume = absolute;
  return conclude(run(options), read_format(format));
}

}  // namespace bench::cli

#include "bench/cells/launcher.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <numeric>

#include "bench/measure/clock.hpp"
#include "workloads/workload.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPaddingVariable = "BENCH_PADDING";
constexpr std::size_t kVariables = 8;     // LD_PRELOAD and what a configuration sets; more of them are of their own number
constexpr std::size_t kRoomBytes = 4096;  // for these and the words; more takes a multiple

// The loader's complaint about LD_PRELOAD, with which it goes on under another allocator; empty if there is none.
std::string preload_complaint(const fs::path& stderr_file) {
  std::ifstream in(stderr_file);
  for (std::string line; std::getline(in, line);) {
    if (line.find("cannot be preloaded") != std::string::npos) {
      return line.substr(0, 300);
    }
  }
  return {};
}

std::string format_seconds(double seconds) {
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  return (text.ends_with('.') ? text.substr(0, text.size() - 1) : text) + " s";
}

std::string without_prefix(std::string text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

nlohmann::json read_json(const fs::path& file) {
  std::ifstream in(file);
  return nlohmann::json::parse(in, nullptr, false);
}

// A copy made for this run is named as what was copied.
void name_original(std::string& text, const std::string& copy, const std::string& original) {
  if (copy.empty() || original.empty()) {
    return;
  }
  for (std::size_t at = text.find(copy); at != std::string::npos; at = text.find(copy, at + original.size())) {
    text.replace(at, copy.size(), original);
  }
}

}  // namespace

std::vector<std::string> allocator_environment(const allocators::Candidate& allocator, std::size_t padding_bytes, std::size_t word_bytes,
                                               const fs::path& preload) {
  std::vector<std::string> set;
  if (!allocator.library.empty() || !preload.empty()) {
    const std::string between = !allocator.library.empty() && !preload.empty() ? ":" : "";
    set.push_back("LD_PRELOAD=" + preload.string() + between + allocator.library.string());
  }
  for (const auto& [name, value] : allocator.environment) {
    set.push_back(name + "=" + value);
  }
  // As many variables and as many bytes for all, whatever they need for themselves.
  while (set.size() < kVariables) {
    set.push_back(std::string(kPaddingVariable) + "_" + std::to_string(set.size()) + "=");
  }
  const std::size_t used = std::accumulate(set.begin(), set.end(), word_bytes, [](std::size_t sum, const auto& entry) { return sum + entry.size(); });
  const std::size_t room = (used + kRoomBytes - 1) / kRoomBytes * kRoomBytes;
  set.push_back(std::string(kPaddingVariable) + "=" + std::string(room - used + padding_bytes, 'x'));
  return environment_with({"LD_PRELOAD"}, set);
}

Attempt judge(const Finished& finished, const fs::path& stderr_file, double timeout_s) {
  Attempt attempt;
  attempt.wall_s = finished.wall_s;
  const std::string said = without_prefix(last_line(stderr_file), "bench-worker: ");
  switch (finished.ending) {
    case Ending::kInterrupted:
      attempt.interrupted = true;
      attempt.status = Status::kSkipped;
      attempt.detail = "interrupted";
      break;
    case Ending::kTimeout:
      attempt.status = Status::kTimeout;
      attempt.detail = "no end after " + format_seconds(timeout_s) + "; killed (--timeout sets the limit)";
      break;
    case Ending::kNotStarted:
      attempt.status = Status::kFailed;
      attempt.detail = std::string("could not be started: ") + std::strerror(finished.code);
      break;
    case Ending::kLost:
      attempt.status = Status::kFailed;
      attempt.detail = "it ended, but how is not known: another part of this process took the news";
      break;
    case Ending::kOutOfMemory:
      attempt.status = Status::kOutOfMemory;
      attempt.detail = "killed by the kernel for want of memory";
      break;
    case Ending::kKilled:
      attempt.status = Status::kCrashed;
      attempt.detail = signal_name(finished.code) + (said.empty() ? "" : ": " + said);
      break;
    case Ending::kExited:
      if (finished.code == workloads::kOutOfMemoryExitCode) {
        attempt.status = Status::kOutOfMemory;
      } else if (finished.code != 0) {
        attempt.status = Status::kFailed;
      }
      if (finished.code != 0) {
        attempt.detail = said.empty() ? "exit code " + std::to_string(finished.code) : said;
      }
      break;
  }
  return attempt;
}

Attempt Launcher::run(worker::Request request, const allocators::Candidate& allocator, double timeout_s, const Around& around) {
  return finish(start(std::move(request), allocator, 0, around), timeout_s);
}

RunningWorker Launcher::start(worker::Request request, const allocators::Candidate& allocator, std::size_t number, const Around& around) {
  const std::string suffix = (number < 10 ? "-0" : "-") + std::to_string(number);
  RunningWorker running;
  running.result_file_ = scratch_ / ("result" + suffix);
  running.stderr_file_ = scratch_ / ("stderr" + suffix);
  running.library_ = allocator.library.string();
  running.original_ = allocator.original.string();
  request.library = allocator.library;
  request.result = running.result_file_;
  request.modules = modules_;
  request.module_folder = layout_.workload_modules;
  request.trace_folder = layout_.share / "traces";
  fs::remove(request.result);

  Command command;
  command.words = around.wrapper;
  command.words.push_back(layout_.worker.string());
  for (auto& word : worker::words_of(request)) {
    command.words.push_back(std::move(word));
  }
  command.words.emplace_back("--");
  command.words.insert(command.words.end(), flags_.begin(), flags_.end());
  const auto bytes_of = [](std::size_t sum, const auto& word) { return sum + word.size(); };
  command.environment =
      allocator_environment(allocator, padding_bytes_, std::accumulate(command.words.begin(), command.words.end(), std::size_t{0}, bytes_of), around.preload);
  command.stdout_file = scratch_ / ("stdout" + suffix);
  command.stderr_file = running.stderr_file_;
  running.child_ = bench::start(command, signals_);
  return running;
}

Attempt Launcher::finish(RunningWorker running, double timeout_s) {
  running.child_.set_deadline_ns(monotonic_ns() + static_cast<std::int64_t>(std::min(timeout_s, 1e9) * 1e9));
  await_end(running.child_, signals_);
  return attempt_of(running, timeout_s);
}

Attempt Launcher::end(RunningWorker running, double timeout_s) {
  if (!running.child_.reap()) {
    running.child_.end(signals_.interrupted() ? Ending::kInterrupted : Ending::kTimeout);
  }
  return attempt_of(running, timeout_s);
}

Attempt Launcher::attempt_of(RunningWorker& running, double timeout_s) {
  Attempt attempt = judge(running.child_.finished(), running.stderr_file_, timeout_s);
  if (const auto complaint = preload_complaint(running.stderr_file_); !complaint.empty() && !attempt.interrupted) {
    attempt.status = Status::kFailed;
    attempt.detail = complaint;
  }
  if (attempt.status == Status::kOk) {
    attempt.result = read_json(running.result_file_);
    if (attempt.result.is_discarded()) {
      attempt.result = nullptr;
      attempt.status = Status::kFailed;
      attempt.detail = "the worker ended well but left no readable result; is the disk full?";
    }
  }
  name_original(attempt.detail, running.library_, running.original_);
  return attempt;
}

}  // namespace bench

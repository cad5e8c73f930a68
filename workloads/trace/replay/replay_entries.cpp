// Traces as entries of the workbench's catalogue.
#include <algorithm>

#include "workloads/registry.hpp"
#include "workloads/trace/replay/replay.hpp"

namespace trace {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

std::string describe(const Reader& reader) {
  const std::string program = reader.info_value("program");
  return program.empty() ? "a recorded program" : program;
}

workloads::Info make_info(const std::filesystem::path& path, const Reader& reader) {
  const Totals totals = reader.index().value_or(Totals{});
  workloads::Info info;
  info.name = "trace/" + path.stem().string();
  info.question = "the calls that " + describe(reader) + " made: " + std::to_string(totals.events) +
                  " events in " + std::to_string(totals.threads) +
                  (totals.threads == 1 ? " thread, " : " threads, ") +
                  std::to_string(totals.peak_live_bytes / 1024) + " KiB live at the peak";
  const std::string note = reader.info_value("note");
  info.origin = note.empty() ? "recorded: " + reader.info_value("command") : note;
  info.operation = "a recorded malloc, calloc, realloc or free";
  info.kind = workloads::Kind::kTrace;
  info.parameters = {
      {"touch",
       static_cast<std::int64_t>(Touch::kPage),
       "",
       "what is written to an object when it is allocated",
       0,
       3,
       {"none", "first", "page", "whole"}},
      {"resident",
       512,
       "MiB",
       "decoded operations beyond this are streamed from a file",
       1,
       1 << 20,
       {}},
      {"think",
       static_cast<std::int64_t>(ThinkTime::kNone),
       "",
       "the time between calls: left out, or kept as recorded, to a millisecond",
       0,
       1,
       {"none", "recorded"}},
  };
  info.threads_note = "the trace has its own threads";
  return info;
}

}  // namespace

std::string register_trace(const std::filesystem::path& path) {
  const Reader reader(path);
  workloads::Info info = make_info(path, reader);
  std::string name = info.name;
  workloads::Registration(std::move(info), [path](const workloads::Setup& setup) {
    return std::make_unique<Replay>(path, static_cast<Touch>(setup["touch"]),
                                    static_cast<std::uint64_t>(setup["resident"] * kMiB),
                                    static_cast<ThinkTime>(setup["think"]));
  });
  return name;
}

std::vector<std::string> register_traces(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const bool known = workloads::find("trace/" + entry.path().stem().string()) != nullptr;
    if (entry.path().extension() == ".trace" && !known) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> failures;
  for (const auto& path : paths) {
    try {
      register_trace(path);
    } catch (const TraceError& trace_error) {
      failures.emplace_back(trace_error.what());
    }
  }
  return failures;
}

}  // namespace trace

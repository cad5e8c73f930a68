// bench list workloads --profile NAME: what a workload asks of an allocator, from a recording of
// it.
#include <fmt/format.h>

#include "bench/cli/commands.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/run/catalogue.hpp"
#include "bench/run/run.hpp"
#include "bench/run/scratch_folder.hpp"
#include "bench/plan/suite.hpp"
#include "workloads/trace/analyse/profile.hpp"
#include "bench/record/recording.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

trace::Profile read_profile(const fs::path& path) {
  trace::Reader reader(path);
  return trace::make_profile(reader);
}

const nlohmann::json& entry_of(const Catalogue& catalogue, const std::string& name) {
  for (const auto& workload : catalogue.workloads()) {
    if (workload.at("name") == name) {
      return workload;
    }
  }
  if (name.starts_with("program/")) {
    throw UsageError(
        "--profile is of one process, not of a program as a whole; record it: bench record -o "
        "x.trace -- COMMAND, then "
        "bench trace inspect x.trace; or see the shipped traces, --profile trace/NAME");
  }
  throw UsageError("no workload is called '" + name + "'; bench list workloads shows all");
}

// The worker under the recorder, which it asks to record what lies between its baseline and its
// end.
trace::Profile record_workload(const Layout& layout, const worker::Request& request,
                               const fs::path& scratch) {
  trace::RecordOptions options;
  options.out = scratch / "workload.trace";
  options.command = {layout.worker.string()};
  for (auto& word : worker::words_of(request)) {
    options.command.push_back(std::move(word));
  }
  options.recorder = request.library;
  options.probe = layout.worker.parent_path() / "trace-call-pairs";
  options.paused = true;
  options.min_calls = 0;
  const trace::Recording recording = trace::record(options);
  if (recording.finished.ending != Ending::kExited || recording.finished.code != 0) {
    throw std::runtime_error("the worker failed under the recorder");
  }
  return read_profile(recording.traces.front().path);
}

}  // namespace

int profile_workload(const std::string& text) {
  Signals signals;
  const Layout layout = find_layout();
  const ScratchFolder scratch;
  Launcher launcher(layout, scratch.path(), signals);
  const std::string name = text.substr(0, text.find(':'));
  if (name.starts_with("trace/")) {
    const fs::path path = layout.share / "traces" / (name.substr(name.find('/') + 1) + ".trace");
    write_stdout(trace::to_table(read_profile(path), name));
    return kAllMeasured;
  }
  const Catalogue catalogue(launcher);
  const nlohmann::json& entry = entry_of(catalogue, name);
  const auto smoke = entry.at("smoke_parameters").get<std::string>();
  worker::Request request;
  request.mode = worker::Mode::kMeasure;
  request.library = layout.libraries / "libosmem-recorder.so";
  request.result = scratch.path() / "result.json";
  request.workload = text == name && !smoke.empty() ? name + ":" + smoke : text;
  request.workload = catalogue.resolve(launcher, {request.workload}).front().name;
  request.module_folder = layout.workload_modules;
  request.threads = entry.at("threads").get<bool>() ? 2 : 1;
  request.iterations = entry.at("smoke_iterations").get<std::int64_t>();
  request.seed = 1;
  trace::Profile profile = record_workload(layout, request, scratch.path());
  profile.info = fmt::format(
      "question={}\nrecorded={} iterations on {} thread{}, from the baseline to the end of the "
      "work\n",
      entry.at("question").get<std::string>(), request.iterations, request.threads,
      request.threads == 1 ? "" : "s");
  write_stdout(trace::to_table(profile, request.workload));
  return kAllMeasured;
}

}  // namespace bench::cli

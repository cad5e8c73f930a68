// bench-worker: puts one workload to work under the allocator that this process was started with, once, and leaves what it
// saw in a JSON file. A Google Benchmark program with its own main: BENCHMARK_MAIN would re-execute without ASLR.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/worker/identity.hpp"
#include "bench/worker/last_words.hpp"
#include "bench/protocol/request.hpp"
#include "bench/worker/result.hpp"
#include "bench/worker/session.hpp"
#include "workloads/trace/replay/replay.hpp"

namespace {

using bench::worker::Mode;
using bench::worker::Request;

// Hands Google Benchmark the words after "--".
void initialise_google_benchmark(int argc, char** argv) {
  std::vector<char*> flags = {argv[0]};
  for (int i = 1, after = 0; i < argc; ++i) {
    if (after != 0) {
      flags.push_back(argv[i]);
    }
    after |= std::strcmp(argv[i], "--") == 0 ? 1 : 0;
  }
  int count = static_cast<int>(flags.size());
  flags.push_back(nullptr);
  benchmark::Initialize(&count, flags.data());
  if (count > 1) {
    throw std::runtime_error(std::string("Google Benchmark does not know ") + flags[1]);
  }
}

// Loads what the request names and what lies in its folder, and describes all workloads with the module of each.
nlohmann::json list_workloads(const Request& request) {
  std::map<std::string, std::string> module_of;
  for (const auto& module : request.modules) {
    for (const auto& name : bench::worker::load_workload_file(module)) {
      module_of[name] = module.string();
    }
  }
  std::vector<std::string> failures;
  if (!request.module_folder.empty()) {
    failures = workloads::load_modules(request.module_folder);
  }
  for (auto& failure : trace::register_traces(request.trace_folder)) {
    failures.push_back(std::move(failure));
  }
  nlohmann::json all = bench::worker::describe_workloads();
  for (auto& workload : all) {
    workload["module"] = module_of[workload.at("name").get<std::string>()];
  }
  return {{"workloads", all}, {"failures", failures}};
}

void load_modules_of(const Request& request) {
  for (const auto& module : request.modules) {
    bench::worker::load_workload_file(module);
  }
}

nlohmann::json carry_out(const Request& request, const allocators::Allocator& allocator) {
  switch (request.mode) {
    case Mode::kIdentify:
      return bench::worker::describe(allocator);
    case Mode::kList:
      return list_workloads(request);
    case Mode::kResolve:
      load_modules_of(request);
      return bench::worker::resolve_workloads(request);
    default: {
      load_modules_of(request);
      bench::worker::Session session(request, bench::worker::select_workload(request.workload, request), allocator);
      session.run_all();
      return bench::worker::describe(session);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::set_terminate(bench::worker::end_on_uncaught_exception);
  try {
    const Request request = bench::worker::parse_request(argc, argv);
    const auto allocator = bench::worker::prove_identity(request.library);
    initialise_google_benchmark(argc, argv);
    bench::worker::write_result(request.result, carry_out(request, allocator));
    return 0;
  } catch (const std::bad_alloc&) {
    bench::worker::end_for_want_of_memory();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-worker: %s\n", error.what());
    return 1;
  }
}

// What one worker process is asked to do, as key=value words on its command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace bench::worker {

enum class Mode {
  kIdentify,   // prove the allocator, tell its version
  kList,       // describe all workloads
  kResolve,    // check workload names and parameters
  kCalibrate,  // find how many iterations make a slice
  kMeasure,    // timed, in turns with other workers if the request says where; nothing else runs in the process
  kLive,       // count requested live bytes; not timed
  kMemory,     // resident memory over time and after the drain; not timed
  kPeak,       // the exact peak of resident memory; not timed
  kLatency,    // every call timed, behind libosmem-call-timer.so
  kServe,      // whole and alone, with resident memory and live bytes over time, and the times of requests
  kCount,      // instructions: by callgrind if the process runs under it, else by the kernel's counters
  kExplain,    // the same with what the kernel did in the slowest calls; its times are not for percentiles
};

struct Request {
  Mode mode = Mode::kIdentify;
  std::filesystem::path result;             // JSON goes here
  std::filesystem::path library;            // that must be this process's malloc; empty: the C library
  std::string workload;                     // name[:parameter=value,...]
  std::vector<std::string> workloads;       // of kResolve
  std::vector<std::filesystem::path> modules;
  std::filesystem::path module_folder;      // where NAME.so is looked for when nobody registered NAME
  std::filesystem::path trace_folder;       // of the traces that are workloads named trace/NAME
  int threads = 1;
  std::int64_t iterations = 0;              // on each thread
  std::int64_t slice_iterations = 0;        // of them in a slice; 0: they are one slice
  std::filesystem::path turns;              // the memory by which it takes turns (turns.hpp); empty: it waits for nobody
  std::uint64_t seed = 0;
  std::vector<double> drain_s;              // times after the end of the work at which memory is read
};

// Reads words up to "--" or the end. Throws std::runtime_error for a word it does not know, and if there is no result.
Request parse_request(int argc, char** argv);

// The words that parse_request() turns back into `request`.
std::vector<std::string> words_of(const Request& request);

}  // namespace bench::worker

// Runs a program with the recorder preloaded and makes traces of what it and its children did.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/process/process.hpp"
#include "workloads/trace/record/raw_convert.hpp"

namespace trace {

struct RecordOptions {
  std::filesystem::path out;  // of the process with the most calls; others are numbered beside it
  std::vector<std::string> command;
  std::filesystem::path recorder;   // libosmem-recorder.so
  std::filesystem::path probe;      // trace-call-pairs
  double duration_s = 0;            // stop recording after so long; 0: when the program ends
  std::uint64_t max_bytes = ~0ull;  // of one trace
  bool paused = false;              // begin with SIGUSR1, not with the program
  bool measure = false;             // run the program once more, without the recorder
  std::uint64_t min_calls = 1000;   // processes with fewer give no trace of their own
  std::string note;                 // how this was made, kept in the trace
};

struct RecordedTrace {
  std::filesystem::path path;
  RawLog log;
  Converted converted;
};

struct Recording {
  std::vector<RecordedTrace> traces;  // the one with the most calls first
  bench::Finished finished;           // of the program
  bool still_running = false;         // recording ended before the program did
  double wall_s = 0;                  // of the recorded run, up to the end of recording
  double unrecorded_wall_s = 0;       // of the run without recorder, where measured
  double recorded_call_ns = 0;        // of an allocation call of the probe with the recorder
  double plain_call_ns = 0;           // and without
  std::uint64_t calls = 0;            // in all processes
  std::size_t small_processes = 0;    // below min_calls
  std::size_t left_behind = 0;        // processes that outlived the program and the recording
  std::vector<std::string> losses;    // what is missing from the traces, and why; a line each
  bool is_incomplete = false;         // and not because of max_bytes
};

// Throws TraceError. SIGUSR1 to the caller starts and stops recording in all recorded processes. SIGINT, SIGTERM and SIGHUP are passed on to the
// program, and end the wait for what it left behind. If we are killed, the program and all it started are, too; their logs stay
// for recover().
Recording record(const RecordOptions& options);

// Makes traces of the logs that a recording left which could not be ended properly: `logs` is its folder, which stays.
Recording recover(const std::filesystem::path& logs, const RecordOptions& options);

}  // namespace trace

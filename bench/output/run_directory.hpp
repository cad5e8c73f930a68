// The directory that a run leaves: samples.csv, summary.csv, benchmark.json, environment.json,
// report.md.
//
// samples.csv grows and is flushed with every cell, so a run that is killed keeps what it measured.
// The other files are replaced as a whole (written beside, then renamed), so each is always either
// the old or the new version, never half of one. Owned by the run's main thread; not thread-safe.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "bench/output/report.hpp"

namespace bench {

// A file or stdout that cannot be written; what() is one line that names it, the reason and what to
// do.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class RunDirectory {
 public:
  // Creates the directory (parents too) and samples.csv in it; throws OutputError if that fails or
  // if samples.csv exists already.
  explicit RunDirectory(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Appends rows to samples.csv and hands them to the kernel; throws OutputError (disk full) with
  // all earlier rows intact.
  void append(std::span<const Sample> samples);

  // Replaces all files but samples.csv. Call after each cell, and at the end. Throws OutputError;
  // the old files stay valid.
  void write(const Report& report) const;

 private:
  struct Close {
    void operator()(std::FILE* file) const;
  };

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> samples_;
  long long valid_bytes_ = 0;  // of samples.csv: where the last complete row ends
};

// Reads a samples.csv back (for --resume, merge and compare); throws std::runtime_error that names
// file and line.
std::vector<Sample> read_samples(const std::filesystem::path& path);

// Writes to stdout and flushes; throws OutputError if that fails (a closed pipe, a full disk).
void write_stdout(std::string_view text);

}  // namespace bench

// The directory that a run leaves: samples.csv, summary.csv, means.csv, benchmark.json,
// environment.json, report.md.
//
// samples.csv grows with every cell, so a run that is killed keeps what it measured. The other
// files are replaced as a whole (written beside, then renamed), so each is always either the old or
// the new version, never half of one. Owned by the run's main thread; not thread-safe.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "bench/output/report.hpp"

namespace bench {

// A file or stdout that cannot be written; what() is one line that names it, the reason and what to
// do.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What to do about a samples.csv that is there already.
enum class Existing {
  kRefuse,    // an error: nothing measured is ever overwritten
  kContinue,  // append to it, after cutting off a row that a kill left half written (--resume)
};

class RunDirectory {
 public:
  // Creates the directory (parents too) and samples.csv in it, or opens it. Throws OutputError.
  explicit RunDirectory(std::filesystem::path path, Existing existing = Existing::kRefuse);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Appends rows to samples.csv and hands them to the kernel. Throws OutputError (disk full) with
  // no row half written.
  void append(std::span<const Sample> samples);

  // Replaces all files but samples.csv. Call after each cell, and at the end. Throws OutputError;
  // the old files stay as they are.
  void write(const Report& report) const;

 private:
  void open_samples(Existing existing);
  void append_text(std::string_view text);

  std::filesystem::path path_;
  int samples_ = -1;       // descriptor of samples.csv
  off_t valid_bytes_ = 0;  // of samples.csv: where the last complete row ends
};

// A file whole, but in the format of another version of bench; what() names it.
class OtherVersion : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads a samples.csv back (for --resume, merge, compare). Throws std::runtime_error that names
// file and line: OtherVersion where the header is another.
std::vector<Sample> read_samples(const std::filesystem::path& file);

// The file is at any moment the old one or the new one as a whole. Throws OutputError that ends with the remedy, where an
// empty one stands for what RunDirectory says.
void write_whole_file(const std::filesystem::path& path, std::string_view text, std::string_view remedy = {});

// Writes to stdout, unbuffered; throws OutputError if that fails (a full disk; a closed pipe where
// SIGPIPE is ignored).
void write_stdout(std::string_view text);

}  // namespace bench

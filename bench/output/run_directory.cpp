#include "bench/output/run_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "bench/output/format.hpp"

namespace bench {
namespace {

struct OutputFile {
  const char* name;
  std::string (*render)(const Report&, const Style&);
};

constexpr std::array kReplacedFiles{
    OutputFile{"environment.json", render_environment},
    OutputFile{"summary.csv", render_summary_csv},
    OutputFile{"means.csv", render_means_csv},
    OutputFile{"benchmark.json", render_google_benchmark},
    OutputFile{"report.md", render_markdown},
};

std::string_view remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space, or choose another directory with --out";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a directory that you can write to with --out";
    case EEXIST:
    case ENOTDIR:
      return "choose a new directory with --out";
    default:
      return "choose another directory with --out";
  }
}

[[noreturn]] void fail(const std::filesystem::path& path, int error) {
  throw OutputError(
      fmt::format("cannot write {}: {}; {}", path.string(), std::strerror(error), remedy(error)));
}

// Writes all of it to an open descriptor; 0, or the error.
int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return errno;
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

// The length of the file up to its last newline, or -1 and errno. A row is a line: samples_csv_row
// leaves no newline inside.
off_t end_of_last_row(int file) {
  off_t end = ::lseek(file, 0, SEEK_END);
  char last = 0;
  while (end > 0) {
    const ssize_t count = ::pread(file, &last, 1, end - 1);
    if (count < 0) {
      return -1;
    }
    if (last == '\n') {
      break;
    }
    --end;
  }
  return end;
}

}  // namespace

RunDirectory::RunDirectory(std::filesystem::path path, Existing existing) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) {
    fail(path_, error.value());
  }
  open_samples(existing);
}

void RunDirectory::open_samples(Existing existing) {
  const std::filesystem::path file = path_ / "samples.csv";
  const int exclusive = existing == Existing::kRefuse ? O_EXCL : 0;
  samples_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | exclusive, 0666);
  if (samples_ < 0) {
    fail(file, errno);
  }
  valid_bytes_ = end_of_last_row(samples_);
  if (valid_bytes_ < 0 || ::ftruncate(samples_, valid_bytes_) != 0) {
    fail(file, errno);
  }
  if (valid_bytes_ == 0) {
    append_text(samples_csv_header());
  }
}

RunDirectory::~RunDirectory() { ::close(samples_); }

void RunDirectory::append(std::span<const Sample> samples) {
  std::string text;
  for (const Sample& sample : samples) {
    text += samples_csv_row(sample);
  }
  append_text(text);
}

void RunDirectory::append_text(std::string_view text) {
  const int error = write_all(samples_, text);
  if (error != 0) {
    // Half a row would make the file invalid. Truncation needs no space, so it works on a full
    // disk.
    if (::ftruncate(samples_, valid_bytes_) != 0) {
      fail(path_ / "samples.csv", errno);
    }
    fail(path_ / "samples.csv", error);
  }
  valid_bytes_ += static_cast<off_t>(text.size());
}

void RunDirectory::write(const Report& report) const {
  for (const OutputFile& file : kReplacedFiles) {
    write_whole_file(path_ / file.name, file.render(report, Style{}));
  }
}

void write_whole_file(const std::filesystem::path& path, std::string_view text, std::string_view remedy_text) {
  const std::filesystem::path beside = path.string() + ".new";
  const auto give_up = [&](int error) {
    const std::string_view what_to_do = remedy_text.empty() ? remedy(error) : remedy_text;
    throw OutputError(fmt::format("cannot write {}: {}; {}", path.string(), std::strerror(error), what_to_do));
  };
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) {
    give_up(errno);
  }
  int error = write_all(file, text);
  // The name must not become durable before what it names.
  if (error == 0 && ::fsync(file) != 0 && errno != EINVAL) {
    error = errno;
  }
  // Some file systems (NFS, quotas) tell of a full disk only here.
  if (::close(file) != 0 && error == 0) {
    error = errno;
  }
  if (error == 0 && ::rename(beside.c_str(), path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    ::unlink(beside.c_str());
    give_up(error);
  }
}

void write_stdout(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error != 0) {
    throw OutputError(fmt::format("cannot write to standard output: {}; free space, or send it elsewhere",
                                  std::strerror(error)));
  }
}

}  // namespace bench

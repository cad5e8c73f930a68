#include "bench/run/huge_pages.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "bench/plan/suite.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolderVariable = "BENCH_HUGE_PAGE_FOLDER";

// When the process was started, in the kernel's ticks: a number that was given anew is told by it. Empty if there is no such process.
std::string start_of(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/stat");
  std::string line;
  std::getline(in, line);
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) {
    return "";
  }
  std::istringstream fields(line.substr(name_end + 1));
  std::string field;
  for (int i = 0; i < 20; ++i) {  // the 22nd of all
    fields >> field;
  }
  return field;
}

// The word in brackets of "always [madvise] never"; empty if the file cannot be read.
std::string mode_now(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  const auto open = line.find('[');
  const auto close = line.find(']');
  return open == std::string::npos || close == std::string::npos ? line : line.substr(open + 1, close - open - 1);
}

// 0, or the error.
int write_mode(const fs::path& file, const std::string& mode) {
  std::FILE* out = std::fopen(file.c_str(), "w");
  if (out == nullptr) {
    return errno;
  }
  const bool written = std::fputs(mode.c_str(), out) >= 0;
  const int error = errno;
  return std::fclose(out) == 0 && written ? 0 : error != 0 ? error : EIO;
}

[[noreturn]] void refuse(const std::string& mode, const fs::path& file, int error) {
  const std::string remedy = error == EACCES || error == EPERM || error == EROFS
                                 ? "run bench as root, or set it yourself: echo " + mode + " | sudo tee " + file.string() + ", and leave --thp out"
                                 : "leave --thp out: this kernel has no huge pages to switch";
  throw UsageError("--thp=" + mode + " cannot be set: " + file.string() + ": " + std::strerror(error) + "; " + remedy);
}

struct Kept {
  std::string pid;
  std::string start;
  std::string mode;

  [[nodiscard]] bool is_at_work() const { return !start.empty() && start_of(pid) == start; }
};

std::optional<Kept> read_kept(const fs::path& file) {
  std::ifstream in(file);
  Kept kept;
  return in >> kept.pid >> kept.start >> kept.mode ? std::optional(kept) : std::nullopt;
}

}  // namespace

HugePageFiles huge_page_files() {
  if (const char* folder = std::getenv(kFolderVariable)) {
    return {fs::path(folder) / "enabled", fs::path(folder) / "kept"};
  }
  return {"/sys/kernel/mm/transparent_hugepage/enabled", "/run/osmem-bench.huge-pages"};
}

std::optional<std::string> mend_huge_pages(const HugePageFiles& files) {
  const auto kept = read_kept(files.kept);
  if (!kept || kept->is_at_work()) {
    return std::nullopt;
  }
  if (const int error = write_mode(files.mode, kept->mode); error != 0) {
    throw UsageError("a bench that was killed left huge pages at '" + mode_now(files.mode) + "', and they cannot be set back to '" + kept->mode +
                     "': " + std::strerror(error) + "; run as root: echo " + kept->mode + " > " + files.mode.string() + " && rm " + files.kept.string());
  }
  std::error_code ignored;
  fs::remove(files.kept, ignored);
  return "a bench that was killed had changed the mode of huge pages: it is '" + kept->mode + "' again";
}

HugePageMode::HugePageMode(HugePageFiles files, const std::string& mode) : files_(std::move(files)), before_(mode_now(files_.mode)) {
  if (before_.empty()) {
    refuse(mode, files_.mode, ENOENT);
  }
  if (const auto kept = read_kept(files_.kept)) {
    throw UsageError("--thp=" + mode + " cannot be set: another bench (process " + kept->pid + ") holds the mode; wait for its end");
  }
  if (access(files_.mode.c_str(), W_OK) != 0) {
    refuse(mode, files_.mode, errno);
  }
  std::ofstream out(files_.kept);
  out << getpid() << ' ' << start_of(std::to_string(getpid())) << ' ' << before_ << '\n';
  out.close();
  if (!out) {
    throw UsageError("--thp=" + mode + " cannot be set: " + files_.kept.string() + ", which keeps what it was, cannot be written; run bench as root");
  }
  if (const int error = write_mode(files_.mode, mode); error != 0) {
    std::error_code ignored;
    fs::remove(files_.kept, ignored);
    refuse(mode, files_.mode, error);
  }
}

HugePageMode::~HugePageMode() {
  if (const int error = write_mode(files_.mode, before_); error != 0) {
    std::fprintf(stderr, "bench: huge pages cannot be set back to '%s': %s; run as root: echo %s > %s\n", before_.c_str(), std::strerror(error),
                 before_.c_str(), files_.mode.c_str());
    return;  // the file stays, so that the next bench tries again
  }
  std::error_code ignored;
  fs::remove(files_.kept, ignored);
}

}  // namespace bench

#include "bench/measure/process_memory.hpp"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string_view>

namespace bench {
namespace {

// "/proc/PID/NAME" on the stack.
class ProcPath {
 public:
  ProcPath(pid_t process, const char* name) {
    if (process == kThisProcess) {
      std::snprintf(text_, sizeof text_, "/proc/self/%s", name);
    } else {
      std::snprintf(text_, sizeof text_, "/proc/%d/%s", static_cast<int>(process), name);
    }
  }
  [[nodiscard]] const char* text() const { return text_; }

 private:
  char text_[64];
};

// A whole file of /proc on the stack.
class SmallFile {
 public:
  explicit SmallFile(const ProcPath& path) {
    const int file = open(path.text(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
      return;
    }
    ssize_t got = 0;
    while (length_ < sizeof text_ && (got = read(file, text_ + length_, sizeof text_ - length_)) > 0) {
      length_ += static_cast<std::size_t>(got);
    }
    close(file);
  }

  // The figure of a line "KEY:   123 kB", in bytes.
  [[nodiscard]] std::optional<std::uint64_t> kilobytes(std::string_view key) const {
    const std::string_view all(text_, length_);
    std::size_t at = 0;
    while ((at = all.find(key, at)) != std::string_view::npos) {
      const bool line_start = at == 0 || all[at - 1] == '\n';
      at += key.size();
      if (!line_start || at >= all.size() || all[at] != ':') {
        continue;
      }
      const auto digits = all.find_first_not_of(": \t", at);
      std::uint64_t value = 0;
      if (digits != std::string_view::npos &&
          std::from_chars(all.data() + digits, all.data() + all.size(), value).ec == std::errc{}) {
        return value * 1024;
      }
    }
    return std::nullopt;
  }

 private:
  char text_[4096];
  std::size_t length_ = 0;
};

}  // namespace

std::optional<ResidentMemory> resident_memory(pid_t process) {
  const SmallFile status(ProcPath(process, "status"));
  const auto now = status.kilobytes("VmRSS");
  const auto peak = status.kilobytes("VmHWM");
  if (!now || !peak) {
    return std::nullopt;
  }
  return ResidentMemory{*now, *peak};
}

bool reset_peak() {
  const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) {
    return false;
  }
  const bool done = write(file, "5", 1) == 1;
  close(file);
  return done;
}

void map_in_code() {
  const auto map_in_object = [](dl_phdr_info* object, std::size_t, void*) {
    const auto page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const auto& segment = object->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) {
        continue;
      }
      const std::uintptr_t first = object->dlpi_addr + segment.p_vaddr;
      const std::uintptr_t start = first & ~(page_bytes - 1);
      // EINVAL where the kernel does not know the advice: nothing is lost but precision.
      static_cast<void>(madvise(reinterpret_cast<void*>(start), first + segment.p_memsz - start, MADV_POPULATE_READ));
    }
    return 0;
  };
  dl_iterate_phdr(map_in_object, nullptr);
}

std::optional<MappingTotals> mapping_totals(pid_t process) {
  const SmallFile rollup(ProcPath(process, "smaps_rollup"));
  const auto resident = rollup.kilobytes("Rss");
  const auto proportional = rollup.kilobytes("Pss");
  const auto huge = rollup.kilobytes("AnonHugePages");
  if (!resident || !proportional || !huge) {
    return std::nullopt;
  }
  return MappingTotals{*resident, *proportional, *huge};
}

ResidentReader::ResidentReader(pid_t process) : file_(open(ProcPath(process, "statm").text(), O_RDONLY | O_CLOEXEC)) {}

ResidentReader::~ResidentReader() {
  if (file_ >= 0) {
    close(file_);
  }
}

std::uint64_t ResidentReader::read_bytes() const {
  char text[128];
  const ssize_t length = file_ < 0 ? -1 : pread(file_, text, sizeof text, 0);
  if (length <= 0) {
    return 0;
  }
  const std::string_view all(text, static_cast<std::size_t>(length));
  const auto space = all.find(' ');  // "size resident shared ...", in pages
  std::uint64_t pages = 0;
  if (space == std::string_view::npos ||
      std::from_chars(all.data() + space + 1, all.data() + all.size(), pages).ec != std::errc{}) {
    return 0;
  }
  static const auto page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return pages * page_bytes;
}

}  // namespace bench

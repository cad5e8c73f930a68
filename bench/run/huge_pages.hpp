// The kernel's mode of transparent huge pages for as long as a run lasts.
//
// The mode belongs to the whole machine, so what it was is written to a file before it is changed, and set again when the object goes: at the
// end of a run, after Ctrl-C and after a failure. After kill -9 the file stays, and the next bench that measures mends the mode: see mend().
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace bench {

// Where the kernel has the mode, and where what it was is kept meanwhile. BENCH_HUGE_PAGE_FOLDER, for tests, stands for both.
struct HugePageFiles {
  std::filesystem::path mode;
  std::filesystem::path kept;
};
HugePageFiles huge_page_files();

// Sets the mode again that a bench which was killed had changed; what was mended, in one line. Nothing if there is nothing to mend, or that
// bench is still at work. Throws UsageError if the mode cannot be set.
std::optional<std::string> mend_huge_pages(const HugePageFiles& files);

class HugePageMode {
 public:
  // `mode` is always, madvise or never. Throws UsageError with the remedy if it cannot be set, or another bench holds one.
  HugePageMode(HugePageFiles files, const std::string& mode);
  // Sets what was before.
  ~HugePageMode();
  HugePageMode(const HugePageMode&) = delete;
  HugePageMode& operator=(const HugePageMode&) = delete;

 private:
  HugePageFiles files_;
  std::string before_;
};

}  // namespace bench

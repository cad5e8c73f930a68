// A folder for what a process of bench passes to and takes from those that it starts.
//
// It lies in the folder for temporary files and is removed with all its contents at the end. A process that was killed
// cannot do that, so each start removes what dead ones left behind. Alive is whoever holds the lock (flock) on its folder:
// the kernel lets go of it with the process, whatever ended that.
#pragma once

#include <filesystem>

namespace bench {

class ScratchFolder {
 public:
  // Throws OutputError if none can be made.
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int lock_ = -1;  // the folder, open and locked
};

// Removes the scratch folders in `parent` that belong to this user and whose owners are dead.
void remove_abandoned_scratch(const std::filesystem::path& parent);

}  // namespace bench

#include "bench/run/scratch_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "bench/output/run_directory.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "bench-scratch-";

int open_folder(const fs::path& path) { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

// Ours, and still what that path names.
bool is_own_folder(const fs::path& path, int folder) {
  struct stat open_one {};
  struct stat named {};
  return fstat(folder, &open_one) == 0 && lstat(path.c_str(), &named) == 0 && open_one.st_uid == geteuid() &&
         open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

// A new folder's name; throws OutputError.
fs::path make_folder(const fs::path& parent) {
  std::string pattern = (parent / (std::string(kPrefix) + "XXXXXX")).string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw OutputError("cannot make a folder in " + parent.string() + ": " + std::strerror(errno) +
                      "; set TMPDIR to one that can be written");
  }
  return pattern;
}

}  // namespace

void remove_abandoned_scratch(const fs::path& parent) {
  std::error_code unreadable;  // then there is nothing to see, and nothing to remove
  for (const auto& entry : fs::directory_iterator(parent, unreadable)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) {
      continue;
    }
    const int folder = open_folder(entry.path());
    if (folder < 0) {
      continue;
    }
    if (flock(folder, LOCK_EX | LOCK_NB) == 0 && is_own_folder(entry.path(), folder)) {
      std::error_code stays;  // a later start tries again
      fs::remove_all(entry.path(), stays);
    }
    close(folder);
  }
}

ScratchFolder::ScratchFolder() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  if (error) {
    const char* name = std::getenv("TMPDIR");
    throw OutputError(std::string("there is no folder for temporary files") + (name != nullptr ? std::string(": TMPDIR is ") + name : "") +
                      "; set TMPDIR to one that can be written");
  }
  remove_abandoned_scratch(parent);
  // Between its making and its locking another start may take the folder for abandoned; then a new one is made.
  for (bool mine = false; !mine;) {
    path_ = make_folder(parent);
    lock_ = open_folder(path_);
    // A file system without locks: nobody can lock the folder, so nobody removes it either.
    static_cast<void>(flock(lock_, LOCK_EX));
    mine = lock_ < 0 || is_own_folder(path_, lock_);
    if (!mine) {
      close(lock_);
    }
  }
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;  // nothing is lost if it stays: a later start removes it
  fs::remove_all(path_, ignored);
  if (lock_ >= 0) {
    close(lock_);
  }
}

}  // namespace bench

// What the workbench knows of one allocator, ours or not.
//
// A Candidate is an allocator before it is put to work: a name, the shared object that becomes the malloc of a
// process by LD_PRELOAD (none for the C library's own) and the environment it wants. An Allocator is one that is
// loaded in this process; all its functions are looked up in its very library, never in whoever won the link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace allocators {

struct Candidate {
  std::string name;               // as tables show it: "jemalloc", "jemalloc-decay0", "libmine"
  std::filesystem::path library;  // absolute; empty: the C library, nothing is preloaded
  std::vector<std::pair<std::string, std::string>> environment;  // set for its processes only
  std::filesystem::path original{};  // where `library` is a copy for this run: what was copied
};

// The allocator's own view of its memory, in bytes; what it cannot tell is left out.
struct Stats {
  std::optional<std::uint64_t> allocated_bytes;  // handed out and not yet freed
  std::optional<std::uint64_t> active_bytes;     // pages that hold such blocks
  std::optional<std::uint64_t> resident_bytes;   // memory the allocator believes to be resident
  std::optional<std::uint64_t> mapped_bytes;     // address space taken from the system
};

struct EntryPoints {
  void* (*malloc)(std::size_t) = nullptr;
  void (*free)(void*) = nullptr;
  void* (*calloc)(std::size_t, std::size_t) = nullptr;
  void* (*realloc)(void*, std::size_t) = nullptr;
  void* (*aligned_alloc)(std::size_t, std::size_t) = nullptr;
  std::size_t (*malloc_usable_size)(void*) = nullptr;
};

// A shared object that is loaded in this process already. Copies share the loader's handle.
class LoadedLibrary {
 public:
  // Empty path: the C library. Throws std::runtime_error if the library is not loaded in this process.
  explicit LoadedLibrary(const std::filesystem::path& library);

  // The function of that name which this very library defines; null if it defines none. A library that this
  // one depends on does not count, although the loader's own search would take it.
  template <typename Function>
  [[nodiscard]] Function* function(const char* name) const {
    return reinterpret_cast<Function*>(address(name));
  }
  [[nodiscard]] bool defines(const char* name) const { return address(name) != nullptr; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // True if `address` lies in this library's image.
  [[nodiscard]] bool contains(const void* address) const;

 private:
  [[nodiscard]] void* address(const char* name) const;

  std::shared_ptr<void> handle_;
  const void* base_ = nullptr;  // where the loader put the image
  std::filesystem::path path_;
};

// How one family of allocators is asked for what lies beyond malloc. A table of function pointers: see adapters/.
struct Adapter {
  const char* detect;  // a function that only this family exports
  std::string (*version)(const LoadedLibrary&);
  std::optional<Stats> (*stats)(const LoadedLibrary&);
  bool (*purge)(const LoadedLibrary&);  // false: it cannot
};

class Allocator {
 public:
  Allocator(LoadedLibrary library, const Adapter& adapter);

  [[nodiscard]] const LoadedLibrary& library() const { return library_; }
  [[nodiscard]] const EntryPoints& entry_points() const { return entry_points_; }
  [[nodiscard]] std::string version() const { return adapter_->version(library_); }  // "unknown" if it cannot tell
  [[nodiscard]] std::optional<Stats> stats() const { return adapter_->stats(library_); }
  [[nodiscard]] bool purge() const { return adapter_->purge(library_); }

 private:
  LoadedLibrary library_;
  const Adapter* adapter_;
  EntryPoints entry_points_;
};

// Functions without which a library cannot be the malloc of a process: the C library's version would hand out
// blocks that this library then frees.
const std::vector<std::string>& required_entry_points();

}  // namespace allocators

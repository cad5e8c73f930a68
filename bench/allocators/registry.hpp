// The allocators that the workbench knows by name, and how the user names others.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/allocators/allocator.hpp"

namespace allocators {

enum class Role {
  kProduction,  // what people run; the default to compare with
  kOurs,        // built here to win
  kFloor,       // the reference floor: no allocator to use
  kTextbook,    // built here to teach
  kInstrument,  // serves measuring, not users: never among "all"
};

std::string_view to_string(Role role);

struct Known {
  std::string name;
  Role role;
  std::string summary;                  // one line
  std::vector<std::string> file_names;  // of its library, the preferred first; empty: the C library
  std::string package;                  // Debian package to install when it is missing; empty: built here
};

// A name, path or configuration that cannot be used; what() is one line for the user.
class UnusableAllocator : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Registry {
 public:
  // `known` outlives the registry. Libraries are looked for in `folders`, in this order.
  Registry(std::span<const Known> known, std::vector<std::filesystem::path> folders)
      : known_(known), folders_(std::move(folders)) {}

  [[nodiscard]] std::span<const Known> known() const { return known_; }

  // The library of a known allocator; nothing if it is not installed. An empty path is the C library.
  [[nodiscard]] std::optional<std::filesystem::path> find(const Known& allocator) const;

  // All that are installed with that role, in the table's order.
  [[nodiscard]] std::vector<Candidate> installed(Role role) const;
  [[nodiscard]] std::vector<Candidate> installed() const;

  // Reads a list as the user writes it; pieces are separated by commas:
  //   NAME                      a known allocator, or `all` that are installed
  //   PATH                      a shared object (has a slash or ends in .so*)
  //   LABEL=NAME|PATH           the same under a name of its own
  //   ENV=VALUE                 after one of these: set in its processes. A value goes on over a comma where the
  //                             next piece looks like an option of it: dirty_decay_ms:0
  // Throws UnusableAllocator. Repeated names are an error unless they are the same configuration.
  [[nodiscard]] std::vector<Candidate> parse(std::string_view list) const;
  // The same, but a name or path that cannot be used is told to `refused` with the reason, and the rest goes on.
  using Refused = std::function<void(const std::string& name, const std::string& reason)>;
  [[nodiscard]] std::vector<Candidate> parse(std::string_view list, const Refused& refused) const;

 private:
  [[nodiscard]] Candidate resolve(const std::string& text) const;
  [[nodiscard]] Candidate resolve_path(const std::string& text) const;
  [[nodiscard]] Candidate resolve_known(const std::string& name) const;
  // Under a name of the user's, which must not be that of another known allocator.
  [[nodiscard]] Candidate renamed(Candidate candidate, const std::string& name) const;

  std::span<const Known> known_;
  std::vector<std::filesystem::path> folders_;
};

// Where Linux keeps shared objects: LD_LIBRARY_PATH, then the usual folders of this architecture.
std::vector<std::filesystem::path> system_library_folders();

}  // namespace allocators

// The side of the registry that the worker and `bench list` use: finding workloads by what the user
// wrote, loading more of them from shared objects, and hearing of phases. Errors are
// SelectionError, with a message for the user.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/workload.hpp"

namespace workloads {

// One line that says what is wrong and what would be right.
class SelectionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A workload with its parameters set. Holds a copy of the entry: later loads do not invalidate it.
struct Selection {
  Entry entry;
  std::vector<std::int64_t> values;  // in the order of entry.info.parameters

  // "larson", or "larson:max=2000" with those parameters that are not the defaults, in Info's
  // order.
  [[nodiscard]] std::string name() const;
  // The selection outlives the Setup and what is made from it.
  [[nodiscard]] Setup setup(int threads, std::uint64_t seed) const {
    return {entry.info, values, threads, seed};
  }
};

// The entry of that exact name, or null.
const Entry* find(std::string_view name);

// Reads `name` or `name:key=value,key=value`. A value is an integer in the parameter's range, in
// decimal, with an optional k, m or g (times 1024, 1024^2, 1024^3), or one of its choices. Throws
// SelectionError that names the nearest workloads, the valid keys or the range.
Selection select(std::string_view text);

// As it is written in a selection: "2000", or the choice's name.
std::string format_value(const Parameter& parameter, std::int64_t value);

// Loads a shared object that registers workloads, for good; returns their names. A path without a
// slash is taken from the working directory. Throws SelectionError if it cannot be loaded or
// registers nothing new.
std::vector<std::string> load_module(const std::filesystem::path& path);

// Loads every *.so of a directory, in order of name; returns a message for each that cannot be
// loaded. A directory that does not exist holds nothing.
std::vector<std::string> load_modules(const std::filesystem::path& directory);

// Who hears mark_phase(), from any thread; null for nobody. `name` is a string literal of the
// workload's.
using PhaseListener = void (*)(const char* name);
void set_phase_listener(PhaseListener listener);

}  // namespace workloads

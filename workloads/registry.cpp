#include "workloads/registry.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <utility>

#include "workloads/memory.hpp"

namespace workloads {
namespace {

struct Registry {
  std::vector<Entry> entries;
  bool checked = true;  // sorted, and known to be sound
};

// A function's static: registrations run before main, in no order between files.
Registry& registry() {
  static Registry instance;
  return instance;
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/';
  });
}

void check_parameter(const Info& info, const Parameter& parameter) {
  const std::string where = "workload " + info.name + ": parameter '" + parameter.name + "' ";
  if (!is_name(parameter.name)) {
    throw SelectionError(where + "needs a name of lower-case letters, digits and dashes");
  }
  if (parameter.value < parameter.min_value || parameter.value > parameter.max_value) {
    throw SelectionError(where + "has a default outside its own range");
  }
  const auto choices = static_cast<std::int64_t>(parameter.choices.size());
  if (choices != 0 && (parameter.min_value != 0 || parameter.max_value != choices - 1)) {
    throw SelectionError(where + "needs the range 0 to its number of choices - 1");
  }
}

void check(const std::vector<Entry>& sorted) {
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const Info& info = sorted[i].info;
    if (!is_name(info.name)) {
      throw SelectionError("workload '" + info.name +
                           "': a name has lower-case letters, digits and dashes");
    }
    if (i > 0 && sorted[i - 1].info.name == info.name) {
      throw SelectionError("workload " + info.name + " is registered twice; rename one of the two");
    }
    for (const Parameter& parameter : info.parameters) {
      check_parameter(info, parameter);
    }
  }
}

std::atomic<PhaseListener> phase_listener{nullptr};

}  // namespace

Registration::Registration(Info info, Factory make) {
  Registry& all = registry();
  all.entries.push_back({std::move(info), std::move(make)});
  all.checked = false;
}

std::span<const Entry> registered() {
  Registry& all = registry();
  if (!all.checked) {
    std::stable_sort(all.entries.begin(), all.entries.end(),
                     [](const Entry& a, const Entry& b) { return a.info.name < b.info.name; });
    check(all.entries);
    all.checked = true;
  }
  return all.entries;
}

const Entry* find(std::string_view name) {
  for (const Entry& entry : registered()) {
    if (entry.info.name == name) {
      return &entry;
    }
  }
  return nullptr;
}

std::int64_t Setup::operator[](std::string_view parameter) const {
  for (std::size_t i = 0; i < info_.parameters.size(); ++i) {
    if (info_.parameters[i].name == parameter) {
      return values_.at(i);
    }
  }
  throw std::out_of_range("workload " + info_.name + " has no parameter '" +
                          std::string(parameter) + "'");
}

std::vector<std::string> load_module(const std::filesystem::path& path) {
  const std::size_t before = registered().size();
  const std::string file = path.has_parent_path() ? path.string() : "./" + path.string();
  if (dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    const char* reason = dlerror();
    throw SelectionError("cannot load workloads from " + file + ": " +
                         (reason ? reason : "unknown reason"));
  }
  const std::vector<Entry>& entries = registry().entries;
  std::vector<std::string> names;
  for (std::size_t i = before; i < entries.size(); ++i) {
    names.push_back(entries[i].info.name);
  }
  if (names.empty()) {
    throw SelectionError(
        file + " registers no workload; it needs a workloads::Registration at namespace scope");
  }
  registered();  // a clash of names is reported here, with the module known
  return names;
}

std::vector<std::string> load_modules(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code missing;  // a directory that does not exist holds no module
  for (const auto& file : std::filesystem::directory_iterator(directory, missing)) {
    if (file.path().extension() == ".so") {
      files.push_back(file.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> failures;
  for (const auto& file : files) {
    try {
      load_module(file);
    } catch (const SelectionError& error) {
      failures.emplace_back(error.what());
    }
  }
  return failures;
}

void set_phase_listener(PhaseListener listener) {
  // release: what the listener relies on was set up before; pairs with the acquire in mark_phase.
  phase_listener.store(listener, std::memory_order_release);
}

void mark_phase(const char* name) {
  // acquire: pairs with the release in set_phase_listener.
  const PhaseListener listener = phase_listener.load(std::memory_order_acquire);
  if (listener != nullptr) {
    listener(name);
  }
}

void out_of_memory(std::size_t bytes) {
  std::fprintf(stderr, "workload: out of memory: a request of %zu bytes was refused\n", bytes);
  std::_Exit(kOutOfMemoryExitCode);
}

}  // namespace workloads

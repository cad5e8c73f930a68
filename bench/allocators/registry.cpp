#include "bench/allocators/registry.hpp"

#include <algorithm>
#include <cstdlib>

#include "bench/allocators/nearest.hpp"
#include "bench/allocators/shared_object.hpp"

namespace allocators {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  while (true) {
    const auto end = text.find(separator);
    pieces.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return pieces;
    }
    text.remove_prefix(end + 1);
  }
}

bool is_upper_or_digit(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// NAME=VALUE with a name in capitals, as environment variables of allocators have.
bool is_environment_setting(std::string_view piece) {
  const auto equals = piece.find('=');
  return equals != std::string_view::npos && equals > 0 && (piece[0] < '0' || piece[0] > '9') &&
         std::all_of(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(equals), is_upper_or_digit);
}

bool is_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".so") || text.find(".so.") != std::string_view::npos;
}

// "libmine.so.2" -> "libmine"
std::string label_of(const fs::path& path) {
  const std::string file = path.filename().string();
  return file.substr(0, file.find(".so"));
}

bool same(const Candidate& a, const Candidate& b) {
  return a.library == b.library && a.environment == b.environment;
}

void add_unless_present(std::vector<Candidate>& list, Candidate candidate) {
  for (const auto& other : list) {
    if (other.name == candidate.name) {
      if (same(other, candidate)) {
        return;
      }
      throw UnusableAllocator("two different allocators are called '" + candidate.name +
                              "'; give one a name of its own: name=" + candidate.library.string());
    }
  }
  list.push_back(std::move(candidate));
}

// Adds `piece` to the environment of the last allocator of the list.
void add_setting(std::vector<Candidate>& list, const std::string& piece) {
  if (list.empty()) {
    throw UnusableAllocator("'" + piece + "' sets an environment variable but stands before any allocator; write "
                            "name=path," + piece);
  }
  if (piece.starts_with("LD_PRELOAD=")) {
    throw UnusableAllocator("LD_PRELOAD cannot be part of a configuration: it is how an allocator is put to work");
  }
  const auto equals = piece.find('=');
  list.back().environment.emplace_back(piece.substr(0, equals), piece.substr(equals + 1));
}

bool continues_setting(const std::vector<Candidate>& list, std::string_view piece) {
  return !list.empty() && !list.back().environment.empty() && piece.find(':') != std::string_view::npos &&
         !is_path(piece);
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kProduction: return "production";
    case Role::kOurs: return "ours";
    case Role::kFloor: return "floor";
    case Role::kTextbook: return "textbook";
    case Role::kInstrument: return "instrument";
  }
  return "";
}

std::optional<fs::path> Registry::find(const Known& allocator) const {
  if (allocator.file_names.empty()) {
    return fs::path();
  }
  for (const auto& file : allocator.file_names) {
    for (const auto& folder : folders_) {
      std::error_code error;
      if (fs::exists(folder / file, error)) {
        return fs::absolute(folder / file).lexically_normal();
      }
    }
  }
  return std::nullopt;
}

std::vector<Candidate> Registry::installed(Role role) const {
  std::vector<Candidate> found;
  for (const auto& allocator : known_) {
    if (allocator.role == role) {
      if (const auto library = find(allocator)) {
        found.push_back({allocator.name, *library, {}});
      }
    }
  }
  return found;
}

std::vector<Candidate> Registry::installed() const {
  std::vector<Candidate> found;
  for (const Role role : {Role::kOurs, Role::kProduction, Role::kTextbook, Role::kFloor}) {
    for (auto& candidate : installed(role)) {
      found.push_back(std::move(candidate));
    }
  }
  return found;
}

Candidate Registry::resolve_known(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& allocator : known_) {
    names.push_back(allocator.name);
    if (allocator.name != name) {
      continue;
    }
    const auto library = find(allocator);
    if (!library) {
      throw UnusableAllocator(allocator.package.empty()
                                  ? name + " is not built here; build the project with its target"
                                  : name + " is not installed; run: apt-get install " + allocator.package);
    }
    return {name, *library, {}};
  }
  throw UnusableAllocator(unknown_name_message("allocator", name, names) + "; or give the path of a shared object");
}

Candidate Registry::resolve_path(const std::string& text) const {
  return {label_of(text), fs::absolute(text).lexically_normal(), {}};
}

Candidate Registry::resolve(const std::string& text) const {
  if (text.empty()) {
    throw UnusableAllocator("an allocator's name is empty; see `bench list allocators`");
  }
  Candidate candidate = is_path(text) ? resolve_path(text) : resolve_known(text);
  if (!candidate.library.empty()) {
    if (candidate.library.string().find_first_of(" :") != std::string::npos) {
      throw UnusableAllocator(candidate.library.string() + ": the loader splits LD_PRELOAD at spaces and colons; copy the library to a path without");
    }
    if (const auto reason = why_not_an_allocator(candidate.library)) {
      throw UnusableAllocator(*reason);
    }
  }
  return candidate;
}

Candidate Registry::renamed(Candidate candidate, const std::string& name) const {
  for (const auto& allocator : known_) {
    if (allocator.name == name && find(allocator) != candidate.library) {
      throw UnusableAllocator("'" + name + "' is the name of another allocator: tables would show " + candidate.library.string() +
                              " as it; choose a name of its own");
    }
  }
  candidate.name = name;
  return candidate;
}

std::vector<Candidate> Registry::parse(std::string_view list) const {
  return parse(list, nullptr);
}

std::vector<Candidate> Registry::parse(std::string_view list, const Refused& refused) const {
  std::vector<Candidate> raw;
  std::vector<std::string> refused_names;
  // Adds what `text` means. One that is refused is added, too, so that settings behind it find their allocator.
  const auto add = [&](const std::string& text, const std::string& label) {
    try {
      raw.push_back(label.empty() ? resolve(text) : renamed(resolve(text), label));
    } catch (const UnusableAllocator& error) {
      if (!refused) {
        throw;
      }
      const std::string name = !label.empty() ? label : is_path(text) ? label_of(text) : text;
      refused(name, error.what());
      refused_names.push_back(name);
      raw.push_back({name, {}, {}});
    }
  };
  for (const auto& piece : split(list, ',')) {
    const auto equals = piece.find('=');
    if (is_environment_setting(piece)) {
      add_setting(raw, piece);
    } else if (continues_setting(raw, piece)) {
      raw.back().environment.back().second += "," + piece;
    } else if (piece == "all") {
      const auto found = installed();
      raw.insert(raw.end(), found.begin(), found.end());
    } else if (equals != std::string::npos && piece.find('/') > equals) {
      add(piece.substr(equals + 1), piece.substr(0, equals));
    } else {
      add(piece, "");
    }
  }
  std::erase_if(raw, [&](const Candidate& candidate) {
    return std::find(refused_names.begin(), refused_names.end(), candidate.name) != refused_names.end();
  });
  std::vector<Candidate> out;
  for (auto& candidate : raw) {
    add_unless_present(out, std::move(candidate));
  }
  return out;
}

std::vector<fs::path> system_library_folders() {
  std::vector<fs::path> folders;
  if (const char* extra = std::getenv("LD_LIBRARY_PATH")) {
    for (const auto& folder : split(extra, ':')) {
      if (!folder.empty()) {
        folders.emplace_back(folder);
      }
    }
  }
  for (const char* folder : {"/usr/local/lib/" OSMEM_MULTIARCH, "/usr/local/lib", "/usr/lib/" OSMEM_MULTIARCH,
                             "/lib/" OSMEM_MULTIARCH, "/usr/lib64", "/lib64", "/usr/lib", "/lib"}) {
    folders.emplace_back(folder);
  }
  return folders;
}

}  // namespace allocators

#include "bench/plan/exec_program.hpp"

#include <elf.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/allocators/shared_object.hpp"
#include "bench/plan/pattern.hpp"
#include "bench/plan/suite.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMostInterpreters = 4;  // as the kernel follows

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) {
    words.push_back(word);
  }
  return words;
}

std::vector<std::string> words_at(const json& entry, const char* key) {
  return entry.contains(key) ? entry.at(key).get<std::vector<std::string>>() : std::vector<std::string>();
}

Program read_entry(const json& entry) {
  Program program;
  program.name = "program/" + entry.at("name").get<std::string>();
  program.question = entry.at("question");
  program.package = entry.at("package");
  program.command = entry.at("command");
  program.setup = words_at(entry, "prepare");
  program.ready = words_at(entry, "ready");
  program.load = words_at(entry, "load");
  program.metric = entry.value("metric", "");
  if (!program.metric.empty() && !is_figure_pattern(program.metric)) {
    throw UsageError(program.name + ": its metric must be a regular expression with one group, not '" + program.metric + "'");
  }
  program.check_output = program.load.empty();
  program.is_ready_entry = true;
  for (const auto& [name, value] : entry.at("environment").items()) {
    program.environment.push_back(name + "=" + value.get<std::string>());
  }
  return program;
}

void fill_in(std::string& word, const std::string& place, const fs::path& folder) {
  for (std::size_t at = 0; (at = word.find(place, at)) != std::string::npos; at += folder.string().size()) {
    word.replace(at, place.size(), folder.string());
  }
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string line;
  std::getline(in, line);
  return line;
}

// "#!/usr/bin/env python3" -> python3's path; nothing if the file is no script.
std::optional<fs::path> interpreter_of(const fs::path& file) {
  const std::string line = first_line(file);
  if (!line.starts_with("#!")) {
    return std::nullopt;
  }
  const auto words = words_of(line.substr(2));
  if (words.empty()) {
    return std::nullopt;
  }
  if (fs::path(words[0]).filename() == "env") {
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (!words[i].starts_with('-') && words[i].find('=') == std::string::npos) {
        return find_executable(words[i]);
      }
    }
  }
  return fs::path(words[0]);
}

bool raises_privileges(const fs::path& file) {
  struct stat status {};
  const bool set_id = stat(file.c_str(), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0;
  return set_id || getxattr(file.c_str(), "security.capability", nullptr, 0) > 0;
}

// Whether the ELF file names a dynamic loader; nothing if it is not ELF of 64 bits.
std::optional<bool> has_loader(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  Elf64_Ehdr header{};
  in.read(reinterpret_cast<char*>(&header), sizeof header);
  if (!in || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_phentsize != sizeof(Elf64_Phdr)) {
    return std::nullopt;
  }
  in.seekg(static_cast<std::streamoff>(header.e_phoff));
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!in.read(reinterpret_cast<char*>(&segment), sizeof segment)) {
      return std::nullopt;
    }
    if (segment.p_type == PT_INTERP) {
      return true;
    }
  }
  return false;
}

bool exports_malloc(const fs::path& file) {
  try {
    const auto names = allocators::read_elf(file).functions;
    return std::find(names.begin(), names.end(), "malloc") != names.end();
  } catch (const std::runtime_error&) {
    return false;  // it exports nothing
  }
}

}  // namespace

std::vector<Program> ready_programs(const fs::path& folder) {
  const fs::path file = folder / "programs.json";
  std::ifstream in(file);
  if (!in) {
    return {};
  }
  std::vector<Program> programs;
  try {
    for (const auto& entry : json::parse(in)) {
      programs.push_back(read_entry(entry));
    }
  } catch (const json::exception& error) {
    throw UsageError(file.string() + ": " + error.what());
  }
  return programs;
}

Program in_folders(Program program, const fs::path& inputs, const fs::path& scratch) {
  for (auto* words : {&program.command, &program.setup, &program.prepare, &program.ready, &program.load}) {
    for (auto& word : *words) {
      fill_in(word, "{inputs}", inputs);
      fill_in(word, "{scratch}", scratch);
    }
  }
  return program;
}

std::optional<std::string> missing_need(const Program& program) {
  for (const auto* words : {&program.command, &program.ready}) {
    if (words->empty()) {
      continue;
    }
    try {
      find_executable(words->front());
    } catch (const UsageError&) {
      return words->front();
    }
  }
  return std::nullopt;
}

fs::path find_executable(const std::string& word) {
  if (word.find('/') != std::string::npos) {
    if (access(word.c_str(), X_OK) != 0 || !fs::is_regular_file(word)) {
      throw UsageError("cannot run " + word + ": " + std::strerror(errno != 0 ? errno : EACCES));
    }
    return fs::absolute(word);
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder.empty() ? "." : folder) / word;
    if (access(candidate.c_str(), X_OK) == 0 && fs::is_regular_file(candidate)) {
      return fs::absolute(candidate);
    }
  }
  throw UsageError("no program '" + word + "' in PATH; install it or give its path");
}

fs::path program_behind(const fs::path& executable) {
  fs::path file = fs::canonical(executable);
  for (int i = 0; i < kMostInterpreters; ++i) {
    const auto interpreter = interpreter_of(file);
    if (!interpreter) {
      break;
    }
    file = fs::canonical(*interpreter);
  }
  return file;
}

std::optional<std::string> why_not_preloadable(const fs::path& program) {
  if (raises_privileges(program)) {
    return program.string() + " is setuid, setgid or has capabilities: the loader ignores LD_PRELOAD there; run a copy without them";
  }
  const auto loader = has_loader(program);
  if (!loader) {
    return program.string() + " is neither a script nor a program of this architecture";
  }
  if (!*loader) {
    return program.string() + " is statically linked: no allocator can be preloaded into it; use a dynamically linked build";
  }
  if (exports_malloc(program)) {
    return program.string() + " brings a malloc of its own, which wins over a preloaded one; use a build without it";
  }
  return std::nullopt;
}

}  // namespace bench

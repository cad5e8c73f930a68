#include "bench/run/exec_program.hpp"

#include <elf.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

#include "allocator/api/shared_object.hpp"
#include "bench/run/suite.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr int kMostInterpreters = 4;  // as the kernel follows

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) {
    words.push_back(word);
  }
  return words;
}

void set(Program& program, const std::string& key, const std::string& value, const std::string& where) {
  if (key == "question") {
    program.question = value;
  } else if (key == "needs") {
    program.needs = words_of(value);
  } else if (key == "package") {
    program.package = value;
  } else if (key == "input") {
    program.input += (program.input.empty() ? "" : "\n") + value;
  } else if (key == "prepare") {
    program.prepare = value;
  } else if (key == "command") {
    program.command = {value};
  } else if (key == "ready") {
    program.ready = value;
  } else if (key == "load") {
    program.load = value;
  } else if (key == "metric") {
    program.metric = value;
  } else if (key == "check-output" && (value == "yes" || value == "no")) {
    program.check_output = value == "yes";
  } else {
    throw UsageError(where + ": unknown line '" + key +
                     "'; known: question, needs, package, input, prepare, command, ready, load, metric, check-output: yes|no");
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

Program read_program(const fs::path& file) {
  std::ifstream in(file);
  if (!in) {
    throw UsageError("cannot read " + file.string());
  }
  Program program;
  program.name = "program/" + file.stem().string();
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::string where = file.string() + ":" + std::to_string(number);
    if (trimmed(line).empty() || line[0] == '#') {
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string::npos) {
      throw UsageError(where + ": a line is KEY: VALUE");
    }
    set(program, trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)), where);
  }
  if (program.command.empty() || program.needs.empty() || program.ready.empty() != program.load.empty()) {
    throw UsageError(file.string() + ": needs lines 'command' and 'needs'; a server also 'ready' and 'load'");
  }
  return program;
}

std::vector<Program> ready_programs(const fs::path& folder) {
  std::vector<Program> programs;
  std::error_code missing;
  for (const auto& file : fs::directory_iterator(folder, missing)) {
    if (file.path().extension() == ".program") {
      programs.push_back(read_program(file.path()));
    }
  }
  std::sort(programs.begin(), programs.end(), [](const Program& a, const Program& b) { return a.name < b.name; });
  return programs;
}

std::optional<std::string> missing_need(const Program& program) {
  for (const auto& need : program.needs) {
    try {
      find_executable(need);
    } catch (const UsageError&) {
      return need;
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

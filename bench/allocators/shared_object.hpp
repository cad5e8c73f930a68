// Looks at a shared object without loading it, so that a library that cannot work is refused before any process
// is started with it. The file is not trusted: every offset in it is checked.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace allocators {

struct ElfFile {
  bool is_program = false;             // at a fixed address: not to be loaded as a library
  std::vector<std::string> functions;  // that its dynamic symbol table defines and exports
};

// Throws std::runtime_error with one line that says what is wrong: missing, unreadable, not ELF, another architecture, neither
// program nor library, damaged.
ElfFile read_elf(const std::filesystem::path& file);

// What keeps a library from being the malloc of a process, in one line; nothing if it can be one.
std::optional<std::string> why_not_an_allocator(const std::filesystem::path& library);

}  // namespace allocators

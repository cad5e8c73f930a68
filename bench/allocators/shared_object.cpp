#include "bench/allocators/shared_object.hpp"

#include <elf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <stdexcept>

#include "bench/allocators/allocator.hpp"

namespace allocators {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
constexpr const char* kMachineName = "x86-64";
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
constexpr const char* kMachineName = "AArch64";
#elif defined(__riscv)
constexpr Elf64_Half kMachine = EM_RISCV;
constexpr const char* kMachineName = "RISC-V";
#else
#error "name this machine's ELF architecture here"
#endif

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw std::runtime_error(file.string() + ": " + why);
}

// The bytes of one file with checked views into it.
class Image {
 public:
  explicit Image(const std::filesystem::path& file) : file_(file) {
    std::error_code error;
    const auto status = std::filesystem::status(file, error);
    if (status.type() == std::filesystem::file_type::not_found) {
      refuse(file, "no such file");
    }
    if (status.type() != std::filesystem::file_type::regular) {
      refuse(file, "not a regular file");
    }
    std::ifstream in(file, std::ios::binary);
    if (!in) {
      refuse(file, std::string("cannot be read: ") + std::strerror(errno));
    }
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
  }

  // `count` records of type T at `offset`, copied because the file may not align them.
  template <typename T>
  [[nodiscard]] std::vector<T> records(std::uint64_t offset, std::uint64_t count) const {
    if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T)) {
      refuse(file_, "damaged: a table lies outside the file");
    }
    std::vector<T> out(count);
    if (count > 0) {
      std::memcpy(out.data(), bytes_.data() + offset, count * sizeof(T));
    }
    return out;
  }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::filesystem::path file_;
  std::vector<char> bytes_;
};

Elf64_Ehdr checked_header(const Image& image, const std::filesystem::path& file) {
  if (image.size() < EI_NIDENT) {
    refuse(file, "not an ELF file");
  }
  const auto ident = image.records<unsigned char>(0, EI_NIDENT);
  if (std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0) {
    refuse(file, "not an ELF file");
  }
  if (ident[EI_CLASS] != ELFCLASS64) {
    refuse(file, std::string("built for a 32-bit machine; this one is ") + kMachineName);
  }
  const auto header = image.records<Elf64_Ehdr>(0, 1).front();
  if (header.e_machine != kMachine) {
    refuse(file, std::string("built for another architecture; this machine is ") + kMachineName);
  }
  if (header.e_type != ET_DYN && header.e_type != ET_EXEC) {
    refuse(file, "an ELF file, but neither a library nor a program");
  }
  return header;
}

bool is_exported_function(const Elf64_Sym& symbol) {
  const auto type = ELF64_ST_TYPE(symbol.st_info);
  const auto binding = ELF64_ST_BIND(symbol.st_info);
  const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return symbol.st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
         (binding == STB_GLOBAL || binding == STB_WEAK) && (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

std::vector<std::string> names_of_section(const Image& image, std::span<const Elf64_Shdr> sections,
                                          const Elf64_Shdr& symbols, const std::filesystem::path& file) {
  if (symbols.sh_link >= sections.size()) {
    refuse(file, "damaged: its symbol table has no names");
  }
  const auto& strings = sections[symbols.sh_link];
  auto text = image.records<char>(strings.sh_offset, strings.sh_size);
  text.push_back('\0');
  std::vector<std::string> names;
  for (const auto& symbol : image.records<Elf64_Sym>(symbols.sh_offset, symbols.sh_size / sizeof(Elf64_Sym))) {
    if (symbol.st_name < text.size() && is_exported_function(symbol)) {
      names.emplace_back(text.data() + symbol.st_name);
    }
  }
  return names;
}

}  // namespace

ElfFile read_elf(const std::filesystem::path& file) {
  const Image image(file);
  const auto header = checked_header(image, file);
  if (header.e_shentsize != sizeof(Elf64_Shdr)) {
    refuse(file, "damaged: it has no section table");
  }
  const auto sections = image.records<Elf64_Shdr>(header.e_shoff, header.e_shnum);
  const auto found = std::find_if(sections.begin(), sections.end(),
                                  [](const Elf64_Shdr& section) { return section.sh_type == SHT_DYNSYM; });
  if (found == sections.end()) {
    refuse(file, "exports nothing: it has no dynamic symbol table");
  }
  return {header.e_type == ET_EXEC, names_of_section(image, sections, *found, file)};
}

std::optional<std::string> why_not_an_allocator(const std::filesystem::path& library) {
  std::vector<std::string> names;
  try {
    ElfFile file = read_elf(library);
    if (file.is_program) {
      return library.string() + ": a program, not a shared object";
    }
    names = std::move(file.functions);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  std::sort(names.begin(), names.end());
  std::string missing;
  for (const auto& name : required_entry_points()) {
    if (!std::binary_search(names.begin(), names.end(), name)) {
      missing += (missing.empty() ? "" : ", ") + name;
    }
  }
  if (missing.empty()) {
    return std::nullopt;
  }
  if (!std::binary_search(names.begin(), names.end(), "malloc")) {
    return library.string() + ": exports no malloc, so it cannot serve a process";
  }
  return library.string() + ": not a whole malloc; it must also export " + missing;
}

}  // namespace allocators

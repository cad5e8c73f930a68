#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/allocators/adapters/families.hpp"

namespace allocators {
namespace {

// What malloc_info() prints; empty if the library has none.
std::string info_document(const LoadedLibrary& library) {
  auto* print = library.function<int(int, FILE*)>("malloc_info");
  if (print == nullptr) {
    return {};
  }
  char* text = nullptr;
  std::size_t size = 0;
  FILE* stream = open_memstream(&text, &size);
  if (stream == nullptr) {
    return {};
  }
  const bool printed = print(0, stream) == 0;
  const bool closed = std::fclose(stream) == 0;
  std::string document = printed && closed ? std::string(text, size) : std::string();
  std::free(text);
  return document;
}

// The drop-ins of this project say who they are in malloc_info's heap element: allocator="limit" version="0.1.0".
std::string drop_in_version(const std::string& document) {
  constexpr std::string_view kBefore = "\" version=\"";
  const auto allocator = document.find("<heap nr=\"0\" allocator=\"");
  const auto end = document.find('>', std::min(allocator, document.size()));
  const auto before = document.find(kBefore, std::min(allocator, document.size()));
  if (end == std::string::npos || before == std::string::npos || before > end) {
    return "unknown";
  }
  const auto first = before + kBefore.size();
  return document.substr(first, document.find('"', first) - first);
}

std::string version(const LoadedLibrary& library) {
  auto* glibc_version = library.function<const char*()>("gnu_get_libc_version");
  return glibc_version != nullptr ? glibc_version() : drop_in_version(info_document(library));
}

std::optional<Stats> stats(const LoadedLibrary& library) {
  auto* info = library.function<struct mallinfo2()>("mallinfo2");
  if (info == nullptr) {
    return std::nullopt;
  }
  const auto now = info();
  Stats out;
  out.allocated_bytes = now.uordblks + now.hblkhd;
  out.mapped_bytes = now.arena + now.hblkhd;
  return out;
}

bool purge(const LoadedLibrary& library) {
  auto* trim = library.function<int(std::size_t)>("malloc_trim");
  return trim != nullptr && (trim(0), true);
}

}  // namespace

const Adapter& malloc_h_adapter() {
  static constexpr Adapter kAdapter{"malloc", version, stats, purge};
  return kAdapter;
}

}  // namespace allocators

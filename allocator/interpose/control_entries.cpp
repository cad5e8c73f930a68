// glibc's control and report functions over Core's totals.
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <iterator>

#include "allocator/interpose/core.hpp"
#include "allocator/interpose/text.hpp"

namespace {

interpose::Numbers totals() noexcept {
  interpose::Numbers numbers;
  Core::stats(numbers);
  return numbers;
}

// mallinfo's fields are ints: what does not fit is shown as INT_MAX, not wrapped to a small or
// negative number.
int saturated(size_t value) noexcept { return value > INT_MAX ? INT_MAX : static_cast<int>(value); }

void add_line(interpose::Text& text, const char* label, size_t value) noexcept {
  text.add(label).add(" = ").add(value).add("\n");
}

// What a core may say about itself beyond its totals.
template <typename T>
void add_core_info(interpose::Text& text) noexcept {
  if constexpr (requires { T::add_info_xml(text); }) {
    T::add_info_xml(text);
  }
}

template <typename T>
void add_core_stats(interpose::Text& text) noexcept {
  if constexpr (requires { T::add_stats_text(text); }) {
    T::add_stats_text(text);
  }
}

void add_element(interpose::Text& text, const char* kind, size_t count, size_t bytes) noexcept {
  text.add("<total type=\"").add(kind).add("\" count=\"").add(count);
  text.add("\" size=\"").add(bytes).add("\"/>\n");
}

// glibc's document, so that readers of it find what they look for; a core may add elements of its
// own.
void compose_info(interpose::Text& text) noexcept {
  const interpose::Numbers numbers = totals();
  text.add("<malloc version=\"1\">\n<heap nr=\"0\" allocator=\"")
      .add(Core::kName)
      .add("\" version=\"" INTERPOSE_VERSION "\">\n");
  add_core_info<Core>(text);
  text.add("</heap>\n");
  add_element(text, "rest", 1, numbers.free_bytes);
  add_element(text, "mmap", numbers.mapped_count, numbers.mapped_bytes);
  text.add("<system type=\"current\" size=\"").add(numbers.heap_bytes).add("\"/>\n");
  text.add("<aspace type=\"total\" size=\"").add(numbers.heap_bytes).add("\"/>\n</malloc>\n");
}

}  // namespace

extern "C" {

INTERPOSE_EXPORT struct mallinfo2 mallinfo2() noexcept {
  const interpose::Numbers numbers = totals();
  struct mallinfo2 info = {};
  info.arena = numbers.heap_bytes;
  info.ordblks = numbers.free_count;
  info.hblks = numbers.mapped_count;
  info.hblkhd = numbers.mapped_bytes;
  info.uordblks = numbers.allocated_bytes;
  info.fordblks = numbers.free_bytes;
  info.keepcost = numbers.releasable_bytes;
  return info;
}

INTERPOSE_EXPORT struct mallinfo mallinfo() noexcept {
  const struct mallinfo2 wide = mallinfo2();
  struct mallinfo info = {};
  info.arena = saturated(wide.arena);
  info.ordblks = saturated(wide.ordblks);
  info.hblks = saturated(wide.hblks);
  info.hblkhd = saturated(wide.hblkhd);
  info.uordblks = saturated(wide.uordblks);
  info.fordblks = saturated(wide.fordblks);
  info.keepcost = saturated(wide.keepcost);
  return info;
}

// Every option of glibc is accepted, none changes anything: they tune glibc's arenas and bins.
// Programs treat a zero as a failed start.
INTERPOSE_EXPORT int mallopt(int option, int) noexcept {
  constexpr int kKnown[] = {M_MXFAST,         M_NLBLKS,     M_GRAIN,     M_KEEP,
                            M_TRIM_THRESHOLD, M_TOP_PAD,    M_MMAP_MAX,  M_CHECK_ACTION,
                            M_PERTURB,        M_ARENA_TEST, M_ARENA_MAX, M_MMAP_THRESHOLD};
  return std::find(std::begin(kKnown), std::end(kKnown), option) != std::end(kKnown) ? 1 : 0;
}

INTERPOSE_EXPORT int malloc_trim(size_t keep_bytes) noexcept {
  return Core::trim(keep_bytes) ? 1 : 0;
}

INTERPOSE_EXPORT void malloc_stats() noexcept {
  const interpose::Numbers numbers = totals();
  interpose::Text text;
  text.add(Core::kName).add(":\n");
  add_line(text, "system bytes     ", numbers.heap_bytes + numbers.mapped_bytes);
  add_line(text, "in use bytes     ", numbers.allocated_bytes);
  add_line(text, "free bytes       ", numbers.free_bytes);
  add_line(text, "mmap regions     ", numbers.mapped_count);
  add_line(text, "mmap bytes       ", numbers.mapped_bytes);
  add_core_stats<Core>(text);
  text.write_to(STDERR_FILENO);
}

INTERPOSE_EXPORT int malloc_info(int options, FILE* stream) noexcept {
  if (options != 0) {
    return EINVAL;
  }
  interpose::Text text;
  compose_info(text);
  return fwrite(text.data(), 1, text.size(), stream) == text.size() ? 0 : -1;
}

#ifndef INTERPOSE_WITHOUT_C_LIBRARY_ALIASES
INTERPOSE_ALIAS(mallinfo) struct mallinfo __libc_mallinfo() noexcept;
INTERPOSE_ALIAS(mallopt) int __libc_mallopt(int option, int value) noexcept;
#endif
}

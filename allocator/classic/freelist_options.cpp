// Reading freelist's options without the heap, and its last words.
#include <sys/auxv.h>

#include <cstdlib>

#include "allocator/classic/freelist.hpp"
#include "allocator/classic/report.hpp"

namespace classic {
namespace {

// What follows "NAME=" in the environment, or null.
const char* value_of(const char* const* environment, const char* name) {
  const std::size_t length = std::strlen(name);
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    if (std::strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') {
      return *environment + length + 1;
    }
  }
  return nullptr;
}

bool same(const char* value, const char* word) { return std::strcmp(value, word) == 0; }

void complain(const char* name, const char* value, const char* known) {
  Report(STDERR_FILENO)
      .text("freelist: ")
      .text(name)
      .text("=")
      .text(value)
      .text(" is ignored; known are ")
      .text(known)
      .text("\n");
}

bool read_switch(const char* const* environment, const char* name) {
  const char* value = value_of(environment, name);
  if (value == nullptr || same(value, "0")) {
    return false;
  }
  if (!same(value, "1")) {
    complain(name, value, "0 and 1");
    return false;
  }
  return true;
}

std::size_t read_alignment(const char* const* environment) {
  const char* value = value_of(environment, "FREELIST_ALIGNMENT");
  if (value == nullptr || same(value, "16")) {
    return 16;
  }
  if (same(value, "32")) {
    return 32;
  }
  if (same(value, "64")) {
    return 64;
  }
  complain("FREELIST_ALIGNMENT", value, "16, 32 and 64");
  return 16;
}

}  // namespace

FreelistOptions freelist_options(const char* const* environment) {
  if (getauxval(AT_SECURE) != 0) {
    return {};
  }
  return {.bins = read_switch(environment, "FREELIST_BINS"),
          .adaptive = read_switch(environment, "FREELIST_ADAPTIVE"),
          .guards = read_switch(environment, "FREELIST_GUARDS"),
          .alignment_bytes = read_alignment(environment)};
}

void freelist_abort(const void* ptr, const char* what) {
  Report(STDERR_FILENO).text("freelist: block at ").address(ptr).text(": ").text(what).text("\n");
  std::abort();
}

}  // namespace classic

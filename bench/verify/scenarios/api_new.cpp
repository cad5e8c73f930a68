// operator new and delete in all their forms.
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "scenario.h"

//// plain forms
SCENARIO("api.new.forms", kMustHold, "new and new[], plain and nothrow, of 0 to 1 MiB, with every delete that suits") {
  for (size_t size = 0; size < (1u << 20); size = size * 3 + 1) {
    void* a = hide(::operator new(size));
    void* b = hide(::operator new[](size));
    void* c = hide(::operator new(size, std::nothrow));
    void* d = hide(::operator new[](size, std::nothrow));
    HOLDS(a != nullptr && b != nullptr && c != nullptr && d != nullptr && a != b && c != d);
    fill(a, size, 1);
    fill(b, size, 2);
    HOLDS(is_filled(a, size, 1) && is_filled(b, size, 2));
    ::operator delete(a);
    ::operator delete[](b, size);
    ::operator delete(c, std::nothrow);
    ::operator delete[](d);
    ::operator delete(hide(::operator new(size)), size);
    ::operator delete[](hide(::operator new[](size)), std::nothrow);
  }
  ::operator delete(hide(nullptr));
  ::operator delete[](hide(nullptr));
}

//// aligned forms
SCENARIO("api.new.aligned", kMustHold, "aligned new in all forms, alignments of 1 to 64 KiB") {
  for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
    const auto value = std::align_val_t(hide_size(alignment));
    for (const size_t size : {size_t{1}, alignment, alignment * 3 + 1}) {
      void* a = hide(::operator new(size, value));
      void* b = hide(::operator new[](size, value));
      void* c = hide(::operator new(size, value, std::nothrow));
      void* d = hide(::operator new[](size, value, std::nothrow));
      for (void* block : {a, b, c, d}) {
        HOLDS_SEEN(block != nullptr && reinterpret_cast<uintptr_t>(block) % alignment == 0, alignment);
        fill(block, size, 1);
      }
      ::operator delete(a, value);
      ::operator delete[](b, size, value);
      ::operator delete(c, size, value);
      ::operator delete[](d, value, std::nothrow);
    }
  }
}
SCENARIO("api.new.alignas", kMustHold, "new honours alignas") {
  struct alignas(256) Wide {
    char bytes[300];
  };
  for (int i = 0; i < 50; ++i) {
    auto block = std::make_unique<Wide>();
    auto many = std::make_unique<Wide[]>(3);
    HOLDS(reinterpret_cast<uintptr_t>(hide(block.get())) % 256 == 0);
    HOLDS(reinterpret_cast<uintptr_t>(hide(many.get())) % 256 == 0);
  }
}

//// failure
template <typename Call>
static bool throws_bad_alloc(Call call) {
  try {
    hide(call());
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}
static const size_t kTooMuch = std::numeric_limits<size_t>::max();

SCENARIO("api.new.bad_alloc", kMustHold, "a request that cannot be had throws bad_alloc; nothrow gives null") {
  for (const size_t size : {kTooMuch, kTooMuch - 4096, kTooMuch / 2 + 1, size_t{1} << 61}) {
    HOLDS_SEEN(throws_bad_alloc([size] { return ::operator new(hide_size(size)); }), size);
    HOLDS_SEEN(throws_bad_alloc([size] { return ::operator new[](hide_size(size)); }), size);
    HOLDS_SEEN(hide(::operator new(hide_size(size), std::nothrow)) == nullptr, size);
    HOLDS_SEEN(hide(::operator new[](hide_size(size), std::nothrow)) == nullptr, size);
  }
}
SCENARIO("api.new.aligned-wraps", kMustHold, "aligned new of a size that wraps when rounded up throws, and never gives a small block") {
  for (size_t below = 1; below < 300; below += 9) {
    for (const size_t alignment : {32, 64, 4096}) {
      const size_t size = kTooMuch - below;
      const auto value = std::align_val_t(hide_size(alignment));
      HOLDS_SEEN(throws_bad_alloc([=] { return ::operator new(hide_size(size), value); }), below);
      HOLDS_SEEN(throws_bad_alloc([=] { return ::operator new[](hide_size(size), value); }), below);
      HOLDS_SEEN(hide(::operator new(hide_size(size), value, std::nothrow)) == nullptr, below);
      HOLDS_SEEN(hide(::operator new[](hide_size(size), value, std::nothrow)) == nullptr, below);
    }
  }
}

//// new-handler
static int handler_calls;
static void counting_handler() {
  if (++handler_calls == 3) std::set_new_handler(nullptr);
}
static void throwing_handler() {
  ++handler_calls;
  throw std::bad_alloc();
}
SCENARIO("api.new.handler-loop", kMustHold, "the new-handler is called again and again until it gives up") {
  std::set_new_handler(counting_handler);
  HOLDS(throws_bad_alloc([] { return ::operator new(hide_size(size_t{1} << 62)); }));
  HOLDS_SEEN(handler_calls == 3, handler_calls);
  handler_calls = 0;
  std::set_new_handler(counting_handler);
  HOLDS(hide(::operator new(hide_size(size_t{1} << 62), std::nothrow)) == nullptr);
  HOLDS_SEEN(handler_calls == 3, handler_calls);
}
SCENARIO("api.new.handler-aligned", kMustHold, "aligned new asks the new-handler, too; one that throws ends it") {
  std::set_new_handler(throwing_handler);
  HOLDS(throws_bad_alloc([] { return ::operator new(hide_size(size_t{1} << 62), std::align_val_t(64)); }));
  HOLDS(hide(::operator new(hide_size(size_t{1} << 62), std::align_val_t(64), std::nothrow)) == nullptr);
  HOLDS_SEEN(handler_calls == 2, handler_calls);
  std::set_new_handler(nullptr);
}

//// containers
SCENARIO("api.new.containers", kMustHold, "vectors and strings grow, move and end") {
  std::vector<std::string> lines;
  for (int i = 0; i < 5000; ++i) lines.push_back(std::string(static_cast<size_t>(i % 200), static_cast<char>('a' + i % 26)));
  std::vector<std::string> moved = std::move(lines);
  for (int i = 0; i < 5000; ++i) HOLDS(moved[static_cast<size_t>(i)].size() == static_cast<size_t>(i % 200));
}

// A fuzz target over osmem's C interface: each three bytes of the input are one call. Proves
// nothing by itself; it lets a coverage-guided fuzzer (libFuzzer) look for sequences that random
// calls do not reach. Built without the fuzzer, it is a program that replays the files named on its
// command line, or a fixed set of random inputs.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "allocator/osmem/api/osmem.h"

namespace {

struct Slot {
  unsigned char* data = nullptr;
  size_t size = 0;
  unsigned char mark = 0;
};

class Session {
 public:
  // `code` chooses the call, `slot` the block, `size_code` the size on a scale from 0 to 3 MiB.
  void call(unsigned code, unsigned slot, unsigned size_code) {
    Slot& target = slots_[slot % slots_.size()];
    const size_t size = size_of(size_code, code >> 4);
    switch (code % 8) {
      case 0:
      case 1:
        return replace(target, os_malloc(size), size);
      case 2:
        return replace_zeroed(target, size);
      case 3:
        return resize(target, size);
      case 4:
        return replace(target, os_aligned_alloc(size_t{1} << (code >> 4), size), size,
                       size_t{1} << (code >> 4));
      case 5:
        return release(target);
      case 6:
        return replace(target,
                       target.data != nullptr ? os_memdup(target.data, target.size) : nullptr,
                       target.size);
      default:
        if (size_code < 4) {
          os_trim(0);
        }
        check(target);
    }
  }

  ~Session() {
    for (Slot& slot : slots_) {
      release(slot);
    }
  }

 private:
  static void require(bool holds) {
    if (!holds) {
      abort();
    }
  }

  static size_t size_of(unsigned size_code, unsigned fine) {
    const unsigned log2 = size_code / 12;
    return (size_t{1} << log2) - 1 + (size_code % 12) * ((size_t{1} << log2) / 12) + fine;
  }

  // The first and last bytes carry the mark; an overlap with another block shows when it is
  // checked.
  static void fill(Slot& slot) {
    memset(slot.data, slot.mark, std::min<size_t>(slot.size, 64));
    const size_t tail = std::min<size_t>(slot.size, 64);
    memset(slot.data + slot.size - tail, slot.mark, tail);
  }

  static void check(const Slot& slot) {
    if (slot.data == nullptr) {
      return;
    }
    require(os_usable_size(slot.data) >= slot.size);
    for (size_t i = 0; i < std::min<size_t>(slot.size, 64); i++) {
      require(slot.data[i] == slot.mark && slot.data[slot.size - 1 - i] == slot.mark);
    }
  }

  static void release(Slot& slot) {
    check(slot);
    os_free(slot.data);
    slot = Slot{};
  }

  void replace(Slot& slot, void* data, size_t size, size_t alignment = 1) {
    release(slot);
    if (data != nullptr) {
      require(reinterpret_cast<uintptr_t>(data) %
                  std::max<size_t>(alignment, size >= 16 ? 16 : 8) ==
              0);
      slot = {static_cast<unsigned char*>(data), size, ++marks_};
      fill(slot);
    }
  }

  void replace_zeroed(Slot& slot, size_t size) {
    auto* const data = static_cast<unsigned char*>(os_calloc(1, size));
    if (data != nullptr) {
      require(std::all_of(data, data + std::min<size_t>(size, 65536),
                          [](unsigned char byte) { return byte == 0; }));
    }
    replace(slot, data, size);
  }

  static void resize(Slot& slot, size_t size) {
    check(slot);
    auto* const data = static_cast<unsigned char*>(os_realloc(slot.data, size));
    if (data == nullptr) {
      if (size == 0 && slot.data != nullptr) {
        slot = Slot{};
      }
      return;
    }
    for (size_t i = 0; i < std::min<size_t>({size, slot.size, 64}); i++) {
      require(data[i] == slot.mark);
    }
    slot = {data, size, slot.mark};
    fill(slot);
  }

  std::array<Slot, 64> slots_;
  unsigned char marks_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Session session;
  for (size_t at = 0; at + 3 <= size && at < 3 * 4096; at += 3) {
    session.call(data[at], data[at + 1], data[at + 2]);
  }
  return 0;
}

#ifndef OSMEM_WITH_LIBFUZZER
int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::vector<char> input{std::istreambuf_iterator<char>(file), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
  std::mt19937 random(1);
  for (int run = 0; argc == 1 && run < 100; run++) {
    std::vector<uint8_t> input(random() % 6000);
    std::generate(input.begin(), input.end(), [&] { return static_cast<uint8_t>(random()); });
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  puts("all inputs held");
  return 0;
}
#endif

// Uses and misuses blocks of the hardened build in the way that the first argument names; hardened_test.py looks at what is said.
// Compiled without builtins: no pair is optimised away, and no compiler believes what it knows of malloc.
#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::uintptr_t address_of(const char* block) { return reinterpret_cast<std::uintptr_t>(block); }

// Two live blocks of 96 bytes, the second right behind the first's room.
constexpr std::uintptr_t kRoom = 112;
struct Pair {
  char* first = nullptr;
  char* second = nullptr;
};
Pair neighbours() {
  static char* blocks[4096];
  for (char*& block : blocks) block = static_cast<char*>(std::malloc(96));
  for (char* first : blocks) {
    for (char* second : blocks) {
      if (address_of(second) == address_of(first) + kRoom) return {first, second};
    }
  }
  std::puts("no two blocks are neighbours");
  std::exit(3);
}

// Without a quarantine a block that was freed comes back soon.
char* malloc_at(std::uintptr_t wanted) {
  char* others[64];
  for (int count = 0; count < 64; ++count) {
    char* block = static_cast<char*>(std::malloc(96));
    if (address_of(block) == wanted) {
      while (count > 0) std::free(others[--count]);
      return block;
    }
    others[count] = block;
  }
  std::puts("a freed block does not come back");
  std::exit(3);
}

std::atomic<bool> stop{false};
void* resize_in_place(void* argument) {
  char* block = static_cast<char*>(argument);
  while (!stop.load()) {
    block = static_cast<char*>(std::realloc(block, 96));
    block[72] = block[80] = 1;
    block = static_cast<char*>(std::realloc(block, 72));
  }
  return nullptr;
}

// Frees a block, and gets it again, millions of times, while another thread resizes the one before it.
void free_beside_a_resized_block() {
  auto [first, second] = neighbours();
  const std::uintptr_t wanted = address_of(second);
  pthread_t thread{};
  pthread_create(&thread, nullptr, resize_in_place, first);
  for (int i = 0; i < 2'000'000; ++i) {
    std::free(second);
    second = malloc_at(wanted);
  }
  stop.store(true);
  pthread_join(thread, nullptr);
}

// What says how long the block is becomes nonsense.
void damage_and_free() {
  char* block = static_cast<char*>(std::malloc(24));
  char* other = static_cast<char*>(std::malloc(24));
  std::memset(block + 24, 0x5a, 8);
  block = static_cast<char*>(std::realloc(block, 200));
  std::memset(other + 24, 0x5a, 8);
  std::free(other);
  std::free(block);
}

}  // namespace

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  if (std::strcmp(mode, "resized-neighbour") == 0) free_beside_a_resized_block();
  if (std::strcmp(mode, "damaged") == 0) damage_and_free();
  std::puts("lives");
  return 0;
}

// Uses and misuses blocks of the hardened build in the way that the first argument names; hardened_test.py looks at what is said.
// Compiled without builtins: no pair is optimised away, and no compiler believes what it knows of malloc.
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

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

// A block of 40 bytes that `from` names, given back as `to` names.
void* from_family(const char* from) {
  if (std::strcmp(from, "malloc") == 0) return std::malloc(40);
  if (std::strcmp(from, "calloc") == 0) return std::calloc(5, 8);
  if (std::strcmp(from, "strdup") == 0) return strdup("a text of 39 characters, to be given back");
  if (std::strcmp(from, "new") == 0) return ::operator new(40);
  if (std::strcmp(from, "new-aligned") == 0) return ::operator new(40, std::align_val_t{64});
  if (std::strcmp(from, "new-large") == 0) return ::operator new(std::size_t{64} << 20);
  if (std::strcmp(from, "new-nothrow") == 0) return ::operator new(40, std::nothrow);
  if (std::strcmp(from, "array") == 0) return ::operator new[](40);
  if (std::strcmp(from, "resized") == 0) return std::realloc(std::malloc(30), 40);
  std::exit(4);
}
void to_family(void* block, const char* to) {
  if (std::strcmp(to, "free") == 0) return std::free(block);
  if (std::strcmp(to, "realloc") == 0) return std::free(std::realloc(block, 41));
  if (std::strcmp(to, "delete") == 0) return ::operator delete(block);
  if (std::strcmp(to, "delete-sized") == 0) return ::operator delete(block, 40);
  if (std::strcmp(to, "delete-aligned") == 0) return ::operator delete(block, std::align_val_t{64});
  if (std::strcmp(to, "array") == 0) return ::operator delete[](block);
  std::exit(4);
}

// Changes each of the `count` bytes from `from` on, one at a time, frees, and changes it back. How often it freed.
int free_damaged(char* block, char* from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    from[i] = static_cast<char>(from[i] ^ 0x5a);
    std::free(block);
    from[i] = static_cast<char>(from[i] ^ 0x5a);
  }
  return static_cast<int>(count);
}

// Of blocks of that size four behind whose room no other begins, or at whose end a slice of the heap ends: the last of their
// slabs are among them. With OSMEM_ON_ERROR=report.
constexpr std::size_t kMostBlocks = 20000;
constexpr std::uintptr_t kSliceBytes = 16 << 10;  // a slab has one to four: of four neighbours in a row one is a slab's last
int damage_slab_ends(std::size_t size, std::size_t room) {
  static char* blocks[kMostBlocks];
  const std::size_t count = std::min(kMostBlocks, (std::size_t{2} << 20) / room);
  for (std::size_t i = 0; i < count; ++i) blocks[i] = static_cast<char*>(std::malloc(size));
  std::sort(blocks, blocks + count);
  int frees = 0;
  int ends = 0;
  for (std::size_t i = 0; i + 1 < count && ends < 4; ++i) {
    if (blocks[i] + room == blocks[i + 1] && (address_of(blocks[i]) + room) % kSliceBytes != 0) continue;
    ++ends;
    const std::size_t behind = room - size;
    frees += free_damaged(blocks[i], blocks[i] + size, std::min<std::size_t>(behind, 32));
    if (behind > 40) frees += free_damaged(blocks[i], blocks[i] + room - 40, 40);
  }
  if (ends == 0) std::exit(3);
  for (std::size_t i = 0; i < count; ++i) std::free(blocks[i]);
  return frees;
}
void damage_all_slab_ends() {
  struct Case {
    std::size_t size, room;
  };
  int frees = 0;
  for (const Case& one : {Case{8, 16}, {24, 32}, {50, 64}, {88, 96}, {90, 112}, {500, 512}, {2100, 2304}, {4000, 4096}, {20000, 20480}}) {
    frees += damage_slab_ends(one.size, one.room);
  }
  for (const std::size_t size : {std::size_t{40000}, std::size_t{1} << 20, std::size_t{8} << 20}) {  // a run, mappings
    char* block = static_cast<char*>(std::malloc(size));
    frees += free_damaged(block, block + size, 32);
    std::free(block);
  }
  std::printf("%d\n", frees);
}

// operator new runs out of memory, the new-handler gives way, and the C++ runtime gets the block from malloc.
void give_way() {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_AS, &limit);
  std::set_new_handler(nullptr);
}
void new_after_a_handler() {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = 1 << 20;
  setrlimit(RLIMIT_AS, &limit);
  std::set_new_handler(give_way);
  ::operator delete(::operator new(std::size_t{64} << 20));
  setrlimit(RLIMIT_AS, &limit);
  std::set_new_handler(give_way);
  ::operator delete[](::operator new[](std::size_t{65} << 20));
}

}  // namespace

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  if (std::strcmp(mode, "resized-neighbour") == 0) free_beside_a_resized_block();
  if (std::strcmp(mode, "damaged") == 0) damage_and_free();
  if (std::strcmp(mode, "slab-ends") == 0) damage_all_slab_ends();
  if (std::strcmp(mode, "new-handler") == 0) new_after_a_handler();
  if (std::strcmp(mode, "mix") == 0 && argc == 4) to_family(from_family(argv[2]), argv[3]);
  std::puts("lives");
  return 0;
}

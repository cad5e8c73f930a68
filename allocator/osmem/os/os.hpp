// L0: the only door to the system's memory calls.
//
// Every function takes and gives addresses and sizes in multiples of the system's page; sizes are bytes. Failure is null
// or false. All keep errno: a request that gets its memory in another way was not refused. Thread-safe: each is one system
// call or two.
#pragma once

#include <cstddef>
#include <cstdint>

namespace osmem::os {

// The system's page, read once: 4 KiB on x86-64; 4, 16 or 64 KiB on aarch64.
std::size_t page_bytes();

// Address space without memory behind it, aligned to `alignment` (a power of two, at least a page). Touching it faults.
void* reserve(std::size_t bytes, std::size_t alignment);

// Address space right behind what is reserved already: true if [address, address + bytes) could be had.
bool reserve_at(void* address, std::size_t bytes);

// What was reserved and never made usable is anybody's again. Failure leaves it reserved.
void unreserve(void* address, std::size_t bytes);

// Makes reserved pages usable; they read as zero.
bool commit(void* address, std::size_t bytes);

// Gives the pages back; the range stays usable and reads as zero. False: the pages stay as they were.
bool purge(void* address, std::size_t bytes);

// Pages that cannot be touched any more until commit(). False: they can.
bool forbid(void* address, std::size_t bytes);

// What purge() and unmap() did so far: calls, system pages that they named, and the time they took.
struct GivenBack {
  std::uint64_t calls = 0;
  std::uint64_t pages = 0;
  std::uint64_t ns = 0;
};
GivenBack given_back();

// Whether the eight bytes at that address, a multiple of eight, can be read. By a call that filters of system calls allow.
bool is_readable(const void* address);

// A zeroed mapping of its own, aligned to `alignment`.
void* map(std::size_t bytes, std::size_t alignment);

void unmap(void* address, std::size_t bytes);

// A fresh mapping in place of what is there: reads as zero, and no advice is left. False: all is as it was.
bool map_over(void* address, std::size_t bytes);

// Resizes a mapping of map(), moving it if need be; null if that cannot be done, and the mapping is as it was. Where it moves it keeps
// its place within `alignment` (a power of two), so that huge pages stay whole.
void* remap(void* address, std::size_t old_bytes, std::size_t new_bytes, std::size_t alignment);

// Asks for huge pages: those that lie whole in the range are touched by one fault each, if the system has one left then. False: there
// are none, or nobody wants them, and nothing happens.
bool advise_huge(void* address, std::size_t bytes);

// The end of the classic data segment, and its extension by `bytes`; null on failure. Other code may move it, too.
void* break_address();
void* extend_break(std::size_t bytes);

// Address space that the process may have (RLIMIT_AS); SIZE_MAX without a limit.
std::size_t address_space_limit();

// What the process's control group, or one above it, may hold in memory; SIZE_MAX without a limit, or where none can be read. Opens
// files: only at start, before a program may have forbidden itself to.
std::size_t cgroup_memory_limit();

// The range gets small pages from here on, and stays as it is.
void refuse_huge(void* address, std::size_t bytes);

// Who gets huge pages from the system: nobody, whoever asks (THP madvise), whoever touches memory (THP always).
enum class HugePages { kNone, kAsked, kUnasked };

// Opens a file. kNone, too, where pages are not of 4 KiB.
HugePages huge_pages_of_system();

// In this mode. From here on what is reserved and mapped gets huge pages only where advise_huge() asks for them, and none where they are not
// `wanted`. At start.
void use_huge_pages(HugePages mode, bool wanted);

// Milliseconds of a clock that never goes back; coarse (a few ms), cheap (no system call).
std::uint64_t now_ms();

// Nanoseconds of a finer one, for what is timed.
std::uint64_t now_ns();

}  // namespace osmem::os

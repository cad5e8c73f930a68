#include "allocator/osmem/os/os.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace osmem::os {
namespace {

// Puts errno back at the end of its scope.
class KeptErrno {
 public:
  KeptErrno() = default;
  ~KeptErrno() { errno = saved_; }
  KeptErrno(const KeptErrno&) = delete;
  KeptErrno& operator=(const KeptErrno&) = delete;

 private:
  const int saved_ = errno;
};

constinit bool g_refuse_huge = false;  // written at start, both
constinit bool g_has_huge = false;
constinit std::atomic<std::uint64_t> g_calls{0};
constinit std::atomic<std::uint64_t> g_pages{0};
constinit std::atomic<std::uint64_t> g_ns{0};

// Counts a call that gives pages back, from its construction on.
class TimedGift {
 public:
  explicit TimedGift(std::size_t bytes) : pages_(bytes / page_bytes()) {}
  ~TimedGift() {
    // Relaxed: figures, see given_back().
    g_calls.fetch_add(1, std::memory_order_relaxed);
    g_pages.fetch_add(pages_, std::memory_order_relaxed);
    g_ns.fetch_add(now_ns() - start_ns_, std::memory_order_relaxed);
  }
  TimedGift(const TimedGift&) = delete;
  TimedGift& operator=(const TimedGift&) = delete;

 private:
  const std::uint64_t pages_;
  const std::uint64_t start_ns_ = now_ns();
};

void* map_pages(void* hint, std::size_t bytes, int protection, int extra_flags) {
  void* address =
      mmap(hint, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | extra_flags, -1, 0);
  if (address == MAP_FAILED) return nullptr;
  if (g_refuse_huge) madvise(address, bytes, MADV_NOHUGEPAGE);
  return address;
}

// Maps with an alignment larger than a page: too much first, then both ends are cut off.
void* map_aligned(std::size_t bytes, std::size_t alignment, int protection, int extra_flags) {
  if (alignment <= page_bytes()) return map_pages(nullptr, bytes, protection, extra_flags);
  std::size_t padded_bytes;
  if (__builtin_add_overflow(bytes, alignment - page_bytes(), &padded_bytes)) return nullptr;
  void* mapped = map_pages(nullptr, padded_bytes, protection, extra_flags);
  if (mapped == nullptr) return nullptr;
  const auto start = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t aligned = (start + alignment - 1) & ~(alignment - 1);
  const std::size_t before = aligned - start;
  const std::size_t after = padded_bytes - before - bytes;
  if (before != 0) munmap(mapped, before);
  if (after != 0) munmap(reinterpret_cast<void*>(aligned + bytes), after);
  return reinterpret_cast<void*>(aligned);
}

}  // namespace

std::size_t page_bytes() {
  static constinit std::atomic<std::size_t> cached{0};
  // Relaxed: every thread that finds 0 computes the same value.
  std::size_t bytes = cached.load(std::memory_order_relaxed);
  if (bytes == 0) {
    bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    cached.store(bytes, std::memory_order_relaxed);  // relaxed: as above
  }
  return bytes;
}

void* reserve(std::size_t bytes, std::size_t alignment) {
  const KeptErrno kept;
  return map_aligned(bytes, alignment, PROT_NONE, MAP_NORESERVE);
}

bool reserve_at(void* address, std::size_t bytes) {
  const KeptErrno kept;
  void* got = map_pages(address, bytes, PROT_NONE, MAP_NORESERVE | MAP_FIXED_NOREPLACE);
  if (got == address) return true;
  if (got != nullptr) munmap(got, bytes);  // kernels before 4.17 take the address as a hint
  return false;
}

void unreserve(void* address, std::size_t bytes) {
  const KeptErrno kept;
  if (bytes != 0) munmap(address, bytes);
}

bool commit(void* address, std::size_t bytes) {
  const KeptErrno kept;
  if (mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0) return true;
  // Where that call is refused, as by a filter, a mapping over the reserved one does the same.
  return errno != ENOMEM && map_pages(address, bytes, PROT_READ | PROT_WRITE, MAP_FIXED) == address;
}

bool purge(void* address, std::size_t bytes) {
  const KeptErrno kept;
  const TimedGift timed(bytes);
  return madvise(address, bytes, MADV_DONTNEED) == 0;
}

bool forbid(void* address, std::size_t bytes) {
  const KeptErrno kept;
  return mprotect(address, bytes, PROT_NONE) == 0;
}

// Relaxed: figures that need not agree with each other to the last call.
GivenBack given_back() {
  return {g_calls.load(std::memory_order_relaxed), g_pages.load(std::memory_order_relaxed), g_ns.load(std::memory_order_relaxed)};
}

bool is_readable(const void* address) {
  const KeptErrno kept;
  // The kernel copies the set before it looks at what is to be done with it, which is nothing that there is.
  constexpr int kNoSuchChange = -1;
  return syscall(SYS_rt_sigprocmask, kNoSuchChange, address, nullptr, 8) == 0 || errno != EFAULT;
}

void* map(std::size_t bytes, std::size_t alignment) {
  const KeptErrno kept;
  return map_aligned(bytes, alignment, PROT_READ | PROT_WRITE, 0);
}

void unmap(void* address, std::size_t bytes) {
  const KeptErrno kept;
  const TimedGift timed(bytes);
  // It can fail where the process has as many mappings as it may and this would split one. The memory goes back all
  // the same; only the address space is lost.
  if (munmap(address, bytes) != 0) madvise(address, bytes, MADV_DONTNEED);
}

bool map_over(void* address, std::size_t bytes) {
  const KeptErrno kept;
  const TimedGift timed(bytes);
  return map_pages(address, bytes, PROT_READ | PROT_WRITE, MAP_FIXED) == address;
}

namespace {

// Into a place of its own choice: null if there is none.
void* move_aligned(void* address, std::size_t old_bytes, std::size_t new_bytes, std::size_t alignment) {
  void* grown = mremap(address, old_bytes, new_bytes, 0);
  if (grown != MAP_FAILED) return grown;
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(address) & (alignment - 1);
  auto* place = static_cast<std::byte*>(map_aligned(offset + new_bytes, alignment, PROT_NONE, MAP_NORESERVE));
  if (place == nullptr) return nullptr;
  if (offset != 0) munmap(place, offset);
  void* moved = mremap(address, old_bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place + offset);
  if (moved != MAP_FAILED) return moved;
  munmap(place + offset, new_bytes);
  return nullptr;
}

}  // namespace

void* remap(void* address, std::size_t old_bytes, std::size_t new_bytes, std::size_t alignment) {
  const KeptErrno kept;
  void* moved = alignment <= page_bytes() ? nullptr : move_aligned(address, old_bytes, new_bytes, alignment);
  if (moved == nullptr) moved = mremap(address, old_bytes, new_bytes, MREMAP_MAYMOVE);
  return moved == MAP_FAILED ? nullptr : moved;
}

bool advise_huge(void* address, std::size_t bytes) {
  const KeptErrno kept;
  return g_has_huge && madvise(address, bytes, MADV_HUGEPAGE) == 0;
}

void refuse_huge(void* address, std::size_t bytes) {
  const KeptErrno kept;
  madvise(address, bytes, MADV_NOHUGEPAGE);
}

void use_huge_pages(HugePages mode, bool wanted) {
  g_refuse_huge = mode == HugePages::kUnasked;
  g_has_huge = wanted && mode != HugePages::kNone;
}

void* break_address() {
  const KeptErrno kept;
  void* end = sbrk(0);
  return end == reinterpret_cast<void*>(-1) ? nullptr : end;
}

void* extend_break(std::size_t bytes) {
  const KeptErrno kept;
  void* start = sbrk(static_cast<std::intptr_t>(bytes));
  if (start == reinterpret_cast<void*>(-1)) return nullptr;
  // The kernel extends the segment by memory without advice, and advises whole pages only.
  const std::uintptr_t page = (reinterpret_cast<std::uintptr_t>(start) + page_bytes() - 1) & ~(page_bytes() - 1);
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(start) + bytes;
  if (g_refuse_huge && page < end) madvise(reinterpret_cast<void*>(page), end - page, MADV_NOHUGEPAGE);
  return start;
}

std::size_t address_space_limit() {
  const KeptErrno kept;
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return limit.rlim_cur;
}

std::uint64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000000;
}

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace osmem::os

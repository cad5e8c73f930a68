#include "bench/protocol/turns.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace bench::worker {
namespace {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4, "a futex is such a word");
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "shared between processes");

std::size_t bytes_for(std::int64_t slices) { return sizeof(SharedTurns) + static_cast<std::size_t>(slices) * sizeof(SliceRecord); }

[[noreturn]] void refuse(const std::string& what) {
  throw std::runtime_error("the memory by which workers take turns: " + what + ": " + std::strerror(errno));
}

long futex(const std::atomic<std::uint32_t>& word, int operation, std::uint32_t value, const timespec* limit) {
  return syscall(__NR_futex, reinterpret_cast<const std::uint32_t*>(&word), operation, value, limit, nullptr, 0);
}

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

MappedTurns::MappedTurns(int file, std::int64_t slices) : bytes_(bytes_for(slices)) {
  const int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* mapping = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, file, 0);
  if (mapping == MAP_FAILED) {
    refuse("mmap");
  }
  turns_ = static_cast<SharedTurns*>(mapping);  // zero bytes are the value 0 of everything in it
}

MappedTurns MappedTurns::create(const std::filesystem::path& path, std::int64_t slices) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes_for(slices))) != 0) {
    refuse("cannot make " + path.string());
  }
  MappedTurns turns(file, slices);
  close(file);
  return turns;
}

MappedTurns MappedTurns::open(const std::filesystem::path& path, std::int64_t slices) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) {
    refuse("cannot open " + path.string());
  }
  if (status.st_size < static_cast<off_t>(bytes_for(slices))) {
    errno = EOVERFLOW;
    refuse(path.string() + " has no room for " + std::to_string(slices) + " slices");
  }
  MappedTurns turns(file, slices);
  close(file);
  return turns;
}

MappedTurns MappedTurns::unshared(std::int64_t slices) {
  MappedTurns turns(-1, slices);
  turns->granted.store(std::numeric_limits<std::uint32_t>::max(), std::memory_order_relaxed);  // relaxed: nobody waits yet
  return turns;
}

MappedTurns::~MappedTurns() {
  if (turns_ != nullptr) {
    munmap(turns_, bytes_);
  }
}

MappedTurns::MappedTurns(MappedTurns&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)), bytes_(other.bytes_) {}

MappedTurns& MappedTurns::operator=(MappedTurns&& other) noexcept {
  std::swap(turns_, other.turns_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

bool await_at_least(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::optional<std::int64_t> limit_ns) {
  const std::int64_t end_ns = limit_ns ? now_ns() + *limit_ns : 0;
  for (;;) {
    // acquire: pairs with the release in store_and_wake(), so that what was written before it is seen.
    const std::uint32_t seen = word.load(std::memory_order_acquire);
    if (seen >= value) {
      return true;
    }
    timespec left{};
    if (limit_ns) {
      const std::int64_t left_ns = end_ns - now_ns();
      if (left_ns <= 0) {
        return false;
      }
      left = {.tv_sec = left_ns / 1'000'000'000, .tv_nsec = left_ns % 1'000'000'000};
    }
    futex(word, FUTEX_WAIT, seen, limit_ns ? &left : nullptr);
  }
}

void store_and_wake(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  word.store(value, std::memory_order_release);  // pairs with the acquire in await_at_least()
  futex(word, FUTEX_WAKE, INT_MAX, nullptr);
}

std::int64_t Cut::slices() const { return slice_iterations <= 0 ? 1 : std::max<std::int64_t>(1, iterations / slice_iterations); }

std::int64_t Cut::iterations_of(std::int64_t number) const {
  return number < slices() ? slice_iterations : iterations - (slices() - 1) * slice_iterations;
}

}  // namespace bench::worker

// An explorer of interleavings: it runs a scenario of two or three threads in every order of their
// atomic operations.
//
// A scenario's threads are coroutines; each atomic operation is a point where the explorer chooses
// who goes on. All choices are tried, depth first, by running the scenario again from the start. An
// execution is given up where it reaches a state that was seen before: threads are deterministic,
// so a state is what each thread has read so far, the memory, and who has synchronised with whom
// (vector clocks).
//
// Found: violated require(), deadlock, and data races on Plain variables (an access that the memory
// orders named in the code do not order after a conflicting one). Not modelled: reads of stale
// values by relaxed loads; one spurious failure of a weak exchange is tried per execution.
#pragma once

#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace explore {

inline constexpr unsigned kMaxThreads = 3;
// Clocks by thread; the last entry is the set-up before the threads start.
using Clock = std::array<uint32_t, kMaxThreads + 1>;

class Scenario {
 public:
  virtual ~Scenario() = default;
  virtual unsigned thread_count() const = 0;
  virtual void run_thread(unsigned index) = 0;
  // After all threads have ended, as a thread that has joined them.
  virtual void finish() = 0;
};

class Variable;

class Engine {
 public:
  using Factory = std::function<std::unique_ptr<Scenario>()>;
  struct Result {
    uint64_t executions = 0;
    uint64_t states = 0;
    std::string failure;  // empty: all held; else what failed, and the schedule that leads there
  };

  // Explores to the end, or to the first failure.
  static Result explore(const Factory& factory);

  // For the variables below and for scenarios, while explore() runs.
  static Engine& current();
  void require(bool holds, const char* what);
  void point(const char* operation,
             const Variable* variable);  // the explorer may switch threads here
  void block_until(std::function<bool()> condition, const char* what);
  bool all_others_ended() const;
  bool try_spurious_failure();
  void observe(uint64_t value);
  void enter(Variable* variable) { variables_.push_back(variable); }
  Clock& clock() { return clocks_[running_]; }
  unsigned running() const { return running_; }
  void join_clock(const Clock& other);
  void tick() { clocks_[running_][running_]++; }

 private:
  struct Choice {
    uint32_t taken;
    uint32_t count;
  };
  struct Thread {
    ucontext_t context;
    std::vector<char> stack;
    bool ended = false;
    uint64_t observed = 0;
    std::function<bool()> blocked_until;
  };

  void execute(const Factory& factory);
  void start_threads(Scenario& scenario);
  static void enter_thread();
  bool step();
  void resume(unsigned index);
  uint32_t choose(uint32_t count);
  bool advance_path();
  uint64_t state_hash() const;
  void stop(const char* what);

  std::vector<Choice> path_;
  size_t depth_ = 0;
  size_t replayed_ = 0;  // choices of path_ that this execution repeats
  std::unordered_set<uint64_t> seen_;
  Result result_;
  // Of the running execution:
  Scenario* scenario_ = nullptr;
  std::array<Thread, kMaxThreads> threads_;
  std::array<Clock, kMaxThreads + 1> clocks_{};
  std::vector<Variable*> variables_;
  ucontext_t scheduler_;
  unsigned thread_count_ = 0;
  unsigned running_ = kMaxThreads;
  uint32_t spurious_left_ = 0;
  bool stopped_ = false;
  bool tracing_ = false;
  std::string trace_;
};

inline void require(bool holds, const char* what) { Engine::current().require(holds, what); }

// What a state consists of besides the threads.
class Variable {
 public:
  explicit Variable(const char* name) : name_(name) { Engine::current().enter(this); }
  virtual ~Variable() = default;
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  virtual uint64_t hash() const = 0;
  const char* name() const { return name_; }

 private:
  const char* name_;
};

uint64_t hash_clock(uint64_t seed, const Clock& clock);

// std::atomic's interface, as far as it is used, over 64-bit values.
class AtomicWord : public Variable {
 public:
  explicit AtomicWord(uint64_t value) : Variable("atomic"), value_(value) {}
  uint64_t load_word(std::memory_order order);
  void store_word(uint64_t value, std::memory_order order);
  // Read-modify-write: replaces the value by `desired` and gives the old one.
  uint64_t exchange_word(uint64_t desired, std::memory_order order);
  bool compare_exchange_word(uint64_t& expected, uint64_t desired, std::memory_order success,
                             std::memory_order failure, bool may_fail_spuriously);
  uint64_t hash() const override { return hash_clock(value_, released_); }

 private:
  void acquire(std::memory_order order);
  void release(std::memory_order order, bool continues_sequence);

  uint64_t value_;
  Clock released_{};  // what an acquiring reader of the value gets to know
};

template <typename T>
class Atomic {
 public:
  Atomic(T value) : word_(to_word(value)) {}  // NOLINT: implicit, as std::atomic's
  T load(std::memory_order order) const { return to_value(word_.load_word(order)); }
  void store(T value, std::memory_order order) { word_.store_word(to_word(value), order); }
  T exchange(T value, std::memory_order order) {
    return to_value(word_.exchange_word(to_word(value), order));
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure) {
    return compare_exchange(expected, desired, success, failure, true);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure) {
    return compare_exchange(expected, desired, success, failure, false);
  }

 private:
  static uint64_t to_word(T value) { return static_cast<uint64_t>(value); }
  static T to_value(uint64_t word) { return static_cast<T>(word); }
  bool compare_exchange(T& expected, T desired, std::memory_order success,
                        std::memory_order failure, bool weak) {
    uint64_t word = to_word(expected);
    const bool done = word_.compare_exchange_word(word, to_word(desired), success, failure, weak);
    expected = to_value(word);
    return done;
  }

  mutable AtomicWord word_;
};

// Ordinary memory: every pair of conflicting accesses must be ordered by the atomics.
class PlainWord : public Variable {
 public:
  explicit PlainWord(uint64_t value = 0) : Variable("plain"), value_(value) {}
  uint64_t read();
  void write(uint64_t value);
  uint64_t hash() const override { return hash_clock(hash_clock(value_, reads_), writes_); }

 private:
  uint64_t value_;
  Clock reads_{};   // the last read of each thread, in its own time
  Clock writes_{};  // the last write of each thread
};

// A lock; waiting for it is no busy loop.
class Mutex : public Variable {
 public:
  Mutex() : Variable("mutex") {}
  void lock();
  void unlock();
  uint64_t hash() const override { return hash_clock(held_ ? 1 : 0, released_); }

 private:
  bool held_ = false;
  Clock released_{};
};

// For templates over the atomics.
struct ModelAtomics {
  template <typename T>
  using Atomic = explore::Atomic<T>;
};

}  // namespace explore

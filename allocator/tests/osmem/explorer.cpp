#include "allocator/tests/osmem/explorer.hpp"

#include <algorithm>
#include <utility>

namespace explore {
namespace {

constexpr size_t kStackBytes = size_t{64} << 10;
Engine* running_engine = nullptr;

uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

uint64_t combine(uint64_t seed, uint64_t value) {
  return mix(seed * 0x9e3779b97f4a7c15u + value + 1);
}

// What an order means to the clocks; the explorer performs no atomic operation of its own.
bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

bool releases(std::memory_order order) {
  // As in acquires().
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

void join(Clock& clock, const Clock& other) {
  std::transform(clock.begin(), clock.end(), other.begin(), clock.begin(),
                 [](uint32_t a, uint32_t b) { return std::max(a, b); });
}

bool is_before(const Clock& clock, const Clock& other) {
  return std::equal(clock.begin(), clock.end(), other.begin(),
                    [](uint32_t a, uint32_t b) { return a <= b; });
}

}  // namespace

uint64_t hash_clock(uint64_t seed, const Clock& clock) {
  for (const uint32_t time : clock) {
    seed = combine(seed, time);
  }
  return seed;
}

Engine& Engine::current() { return *running_engine; }

Engine::Result Engine::explore(const Factory& factory) {
  Engine engine;
  running_engine = &engine;
  do {
    engine.execute(factory);
    engine.result_.executions++;
  } while (engine.result_.failure.empty() && engine.advance_path());
  if (!engine.result_.failure.empty()) {
    engine.tracing_ = true;  // once more along the same path, writing down what happens
    engine.replayed_ = engine.path_.size();
    engine.execute(factory);
    engine.result_.failure += "\n" + engine.trace_;
  }
  engine.result_.states = engine.seen_.size();
  running_engine = nullptr;
  return engine.result_;
}

// The set-up and finish() run as thread kMaxThreads, ordered before and after all others.
void Engine::execute(const Factory& factory) {
  depth_ = 0;
  stopped_ = false;
  spurious_left_ = 1;
  variables_.clear();
  clocks_ = {};
  running_ = kMaxThreads;
  tick();
  const std::unique_ptr<Scenario> scenario = factory();
  start_threads(*scenario);
  while (step()) {
  }
  running_ = kMaxThreads;
  if (!stopped_ && all_others_ended()) {
    for (const Clock& clock : clocks_) {
      join_clock(clock);
    }
    scenario->finish();
  }
}

void Engine::start_threads(Scenario& scenario) {
  scenario_ = &scenario;
  thread_count_ = scenario.thread_count();
  for (unsigned i = 0; i < thread_count_; i++) {
    Thread& thread = threads_[i];
    thread.stack.resize(kStackBytes);
    thread.ended = false;
    thread.observed = 0;
    thread.blocked_until = nullptr;
    clocks_[i] = clocks_[kMaxThreads];
    clocks_[i][i] = 1;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = thread.stack.size();
    thread.context.uc_link = &scheduler_;
    makecontext(&thread.context, &Engine::enter_thread, 0);
  }
}

void Engine::enter_thread() {
  Engine& engine = current();
  engine.scenario_->run_thread(engine.running_);
  engine.threads_[engine.running_].ended = true;
}

// Lets one thread do its next operation. False: this execution is over.
bool Engine::step() {
  std::array<unsigned, kMaxThreads> enabled{};
  uint32_t enabled_count = 0;
  bool all_ended = true;
  for (unsigned i = 0; i < thread_count_; i++) {
    const Thread& thread = threads_[i];
    all_ended = all_ended && thread.ended;
    if (!thread.ended && (!thread.blocked_until || thread.blocked_until())) {
      enabled[enabled_count++] = i;
    }
  }
  if (enabled_count == 0) {
    if (!all_ended) {
      stop("deadlock: no thread can go on");
    }
    return false;
  }
  if (depth_ >= replayed_ && !tracing_ && !seen_.insert(state_hash()).second) {
    return false;
  }
  resume(enabled[enabled_count > 1 ? choose(enabled_count) : 0]);
  return !stopped_;
}

void Engine::resume(unsigned index) {
  running_ = index;
  threads_[index].blocked_until = nullptr;
  threads_[index].observed =
      combine(threads_[index].observed, 7);  // a step, even if it reads nothing
  swapcontext(&scheduler_, &threads_[index].context);
}

uint32_t Engine::choose(uint32_t count) {
  if (depth_ == path_.size()) {
    path_.push_back({0, count});
  }
  return path_[depth_++].taken;
}

// The next path in depth-first order; false if all have been tried.
bool Engine::advance_path() {
  while (!path_.empty() && path_.back().taken + 1 == path_.back().count) {
    path_.pop_back();
  }
  if (path_.empty()) {
    return false;
  }
  path_.back().taken++;
  replayed_ = path_.size();
  return true;
}

uint64_t Engine::state_hash() const {
  uint64_t hash = spurious_left_;
  for (unsigned i = 0; i < thread_count_; i++) {
    hash = combine(hash, threads_[i].observed + (threads_[i].ended ? 1 : 0));
    hash = hash_clock(hash, clocks_[i]);
  }
  for (const Variable* const variable : variables_) {
    hash = combine(hash, variable->hash());
  }
  return hash;
}

void Engine::require(bool holds, const char* what) {
  if (!holds) {
    stop(what);
    if (running_ != kMaxThreads) {
      swapcontext(&threads_[running_].context, &scheduler_);  // never resumed
    }
  }
}

void Engine::stop(const char* what) {
  if (!stopped_ && !tracing_) {
    result_.failure = what;
  }
  stopped_ = true;
}

void Engine::point(const char* operation, const Variable* variable) {
  if (running_ == kMaxThreads) {
    return;
  }
  swapcontext(&threads_[running_].context, &scheduler_);
  if (tracing_) {
    const auto place =
        std::find(variables_.begin(), variables_.end(), variable) - variables_.begin();
    trace_ += "thread " + std::to_string(running_) + ": " + operation + " variable " +
              std::to_string(place) + "\n";
  }
}

void Engine::block_until(std::function<bool()> condition, const char* what) {
  if (running_ == kMaxThreads) {
    return require(condition(), what);
  }
  threads_[running_].blocked_until = std::move(condition);
  point(what, nullptr);
}

bool Engine::all_others_ended() const {
  for (unsigned i = 0; i < thread_count_; i++) {
    if (i != running_ && !threads_[i].ended) {
      return false;
    }
  }
  return true;
}

bool Engine::try_spurious_failure() {
  if (spurious_left_ == 0 || running_ == kMaxThreads || choose(2) == 0) {
    return false;
  }
  spurious_left_--;
  return true;
}

void Engine::observe(uint64_t value) {
  if (running_ != kMaxThreads) {
    threads_[running_].observed = combine(threads_[running_].observed, value);
  }
}

void Engine::join_clock(const Clock& other) { join(clocks_[running_], other); }

void AtomicWord::acquire(std::memory_order order) {
  if (acquires(order)) {
    Engine::current().join_clock(released_);
  }
}

// A relaxed store ends the release sequence, a relaxed read-modify-write goes on with it.
void AtomicWord::release(std::memory_order order, bool continues_sequence) {
  Engine& engine = Engine::current();
  if (!continues_sequence) {
    released_ = Clock{};
  }
  if (releases(order)) {
    join(released_, engine.clock());
    engine.tick();
  }
}

uint64_t AtomicWord::load_word(std::memory_order order) {
  Engine::current().point("load", this);
  acquire(order);
  Engine::current().observe(value_);
  return value_;
}

void AtomicWord::store_word(uint64_t value, std::memory_order order) {
  Engine::current().point("store", this);
  release(order, false);
  value_ = value;
}

uint64_t AtomicWord::exchange_word(uint64_t desired, std::memory_order order) {
  Engine::current().point("exchange", this);
  acquire(order);
  release(order, true);
  Engine::current().observe(value_);
  return std::exchange(value_, desired);
}

bool AtomicWord::compare_exchange_word(uint64_t& expected, uint64_t desired,
                                       std::memory_order success, std::memory_order failure,
                                       bool may_fail_spuriously) {
  Engine& engine = Engine::current();
  engine.point("compare-exchange", this);
  engine.observe(value_);
  const bool fails = value_ != expected || (may_fail_spuriously && engine.try_spurious_failure());
  engine.observe(fails ? 1 : 0);
  if (fails) {
    acquire(failure);
    expected = value_;
    return false;
  }
  acquire(success);
  release(success, true);
  value_ = desired;
  return true;
}

uint64_t PlainWord::read() {
  Engine& engine = Engine::current();
  engine.require(is_before(writes_, engine.clock()),
                 "data race: a read is not ordered after a write");
  reads_[engine.running()] = engine.clock()[engine.running()];
  engine.observe(value_);
  return value_;
}

void PlainWord::write(uint64_t value) {
  Engine& engine = Engine::current();
  engine.require(is_before(writes_, engine.clock()), "data race: two writes are not ordered");
  engine.require(is_before(reads_, engine.clock()),
                 "data race: a write is not ordered after a read");
  writes_[engine.running()] = engine.clock()[engine.running()];
  value_ = value;
}

void Mutex::lock() {
  Engine::current().block_until([this] { return !held_; }, "lock");
  held_ = true;
  Engine::current().join_clock(released_);
}

void Mutex::unlock() {
  Engine::current().point("unlock", this);
  join(released_, Engine::current().clock());
  Engine::current().tick();
  held_ = false;
}

}  // namespace explore

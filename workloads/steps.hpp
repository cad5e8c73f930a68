// How a thread of a workload learns that it is to do one more iteration.
//
//   while (steps.next()) { ... one iteration ... }
//
// The iterations come in slices. Where a slice ends, whoever measures may take the time and let the thread wait until
// it is its turn again; within a slice next() is a decrement. A workload need not know of slices.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace workloads {

// Gives a workload's threads their slices. Each thread of the workload calls it, one call at a time a thread.
class Pace {
 public:
  virtual ~Pace() = default;
  // The thread has done what it was given before. Waits for its next turn, and gives the number of iterations of the
  // next slice; 0 when there is none.
  virtual std::int64_t next_slice(int thread_index) = 0;
};

// The iterations of one thread. Used by one thread at a time.
class Steps {
 public:
  // All at once: nobody takes turns.
  explicit Steps(std::int64_t total) : total_(total), left_(total) {}
  // `pace` outlives it, and gives `total` iterations in all.
  Steps(std::int64_t total, Pace& pace, int thread_index) : total_(total), pace_(&pace), thread_index_(thread_index) {}

  // Whether there is one more iteration to do.
  bool next() {
    if (left_ == 0) [[unlikely]] {
      left_ = next_slice();
      if (left_ == 0) {
        return false;
      }
    }
    --left_;
    return true;
  }

  // The iterations of the next slice for a crew to do, each member all of them; 0 when there is none. Instead of next().
  std::int64_t next_slice() { return pace_ != nullptr ? pace_->next_slice(thread_index_) : std::exchange(left_, 0); }

  // Iterations in all.
  [[nodiscard]] std::int64_t total() const { return total_; }

 private:
  std::int64_t total_;
  Pace* pace_ = nullptr;
  int thread_index_ = 0;
  std::int64_t left_ = 0;
};

// The iterations of a crew of threads that each do as many as the run() that started them was asked for: they meet where
// a slice ends. Outlives them.
class CrewSteps {
 public:
  CrewSteps(Steps& steps, std::size_t members) : steps_(steps), members_(members) {}
  CrewSteps(const CrewSteps&) = delete;
  CrewSteps& operator=(const CrewSteps&) = delete;

  // One member's. Used by its thread alone.
  class Member {
   public:
    explicit Member(CrewSteps& crew) : crew_(crew) {}
    bool next() {
      if (left_ == 0) [[unlikely]] {
        left_ = crew_.meet();
        if (left_ == 0) {
          return false;
        }
      }
      --left_;
      return true;
    }

   private:
    CrewSteps& crew_;
    std::int64_t left_ = 0;
  };

 private:
  // Waits for all members; the last one asks for the next slice, which is each one's.
  std::int64_t meet() {
    std::unique_lock lock(mutex_);
    const std::uint64_t meeting = meeting_;
    if (++waiting_ == members_) {
      slice_ = steps_.next_slice();
      waiting_ = 0;
      ++meeting_;
      met_.notify_all();
    } else {
      met_.wait(lock, [&] { return meeting_ != meeting; });
    }
    return slice_;
  }

  Steps& steps_;
  const std::size_t members_;
  std::mutex mutex_;  // guards all below
  std::condition_variable met_;
  std::size_t waiting_ = 0;
  std::uint64_t meeting_ = 0;
  std::int64_t slice_ = 0;
};

}  // namespace workloads

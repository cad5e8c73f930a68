// Threads that a workload starts itself, at no cost of ours to the allocator under test.
#pragma once

#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "workloads/memory.hpp"

namespace workloads {

// pthread_create with the default attributes; ends the process if no thread can be had.
inline pthread_t start_thread(void* (*body)(void*), void* argument) {
  pthread_t id{};
  const int error = pthread_create(&id, nullptr, body, argument);
  if (error != 0) {
    std::fprintf(stderr, "workload: cannot start a thread: %s\n", std::strerror(error));
    std::_Exit(EXIT_FAILURE);
  }
  return id;
}

// A running thread that calls `work()`; lives where it is declared, so that no heap holds it. Join
// it exactly once.
template <typename Work>
class Thread {
 public:
  explicit Thread(Work work) : work_(work), id_(start_thread(&Thread::body, this)) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  void join() { pthread_join(id_, nullptr); }

 private:
  static void* body(void* self) {
    static_cast<Thread*>(self)->work_();
    return nullptr;
  }

  Work work_;  // initialised before the thread starts
  pthread_t id_;
};

// Running threads that call `work(index)` with the indices from 0 to count - 1. Join them exactly
// once.
template <typename Work>
class Crew {
 public:
  Crew(std::size_t count, Work work) : work_(work), members_(count) {
    for (std::size_t i = 0; i < count; ++i) {
      members_[i] = {this, i, {}};
      members_[i].id = start_thread(&Crew::body, &members_[i]);
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  void join() {
    for (const Member& member : members_) {
      pthread_join(member.id, nullptr);
    }
  }

 private:
  struct Member {
    Crew* crew;
    std::size_t index;
    pthread_t id;
  };

  static void* body(void* member) {
    const auto& self = *static_cast<const Member*>(member);
    self.crew->work_(self.index);
    return nullptr;
  }

  Work work_;
  MappedArray<Member> members_;
};

}  // namespace workloads

// Instructions between two points of this process, all threads: by callgrind if the process runs under it, which counts the same twice; else
// by the kernel's counters of the CPU, where it has some and lets us.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

// Why the kernel's counters cannot be had here, in words for the user; empty if they can.
std::string why_no_hardware_counters();

class InstructionCounter {
 public:
  InstructionCounter() = default;
  ~InstructionCounter();
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;

  // Of the calling thread and those that it starts from here on. Throws std::runtime_error if nobody can count.
  void start();
  void stop();
  // "instructions" and "cycles" between both; nothing under callgrind, which writes them to a file of its own.
  [[nodiscard]] std::vector<std::pair<std::string, double>> counts() const;

 private:
  int instructions_ = -1;
  int cycles_ = -1;
};

}  // namespace bench

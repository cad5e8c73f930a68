#include "bench/cells/cell.hpp"

#include <utility>

namespace bench {

Measured failure(const Attempt& attempt, Sample blank) {
  Measured out;
  out.interrupted = attempt.interrupted;
  blank.status = attempt.status;
  blank.detail = attempt.detail;
  out.samples.push_back(std::move(blank));
  return out;
}

std::string Cell::label() const {
  return workload_ + (threads_ == 1 ? "" : ", " + std::to_string(threads_) + " threads");
}

Sample Cell::blank(const allocators::Candidate& allocator, int block) const {
  Sample sample;
  sample.block = block;
  sample.workload = workload_;
  sample.threads = threads_;
  sample.kind = kind_;
  sample.allocator = allocator.name;
  return sample;
}

}  // namespace bench

#include "bench/model/sample.hpp"

namespace bench {

std::string_view to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kFailed:
      return "FAILED";
    case Status::kCrashed:
      return "CRASHED";
    case Status::kTimeout:
      return "TIMEOUT";
    case Status::kOutOfMemory:
      return "OOM";
    case Status::kWrong:
      return "WRONG";
    case Status::kSkipped:
      return "NOT RUN";
  }
  return "FAILED";
}

}  // namespace bench

// The fixture of the scenario tests: parameters are the allocator's driver and the function that
// `get` stands for.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "allocator/tests/classic_scenarios/scenario.hpp"

namespace scenario {

using Parameter = std::tuple<const char*, const char*>;

class Scenario : public testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override {
    if (!why_not().empty()) {
      GTEST_SKIP() << why_not();
    }
  }

  // Whether the driver, given the scenario's calls, returns the places and makes the system calls that stand beside them.
  static testing::AssertionResult happens(const std::string& text) {
    const auto [allocator, by] = GetParam();
    const std::string wanted = normalised(text);
    const std::string seen = transcript(std::string(CLASSIC_DRIVERS) + allocator, by, text);
    if (seen == wanted) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "wanted:\n" << wanted << "\nseen:\n" << seen;
  }
};

inline std::string name_of(const testing::TestParamInfo<Parameter>& info) {
  return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
}

inline auto each_function_of(const char* allocator) {
  return testing::Combine(testing::Values(allocator),
                          testing::Values("malloc", "calloc", "realloc"));
}

}  // namespace scenario

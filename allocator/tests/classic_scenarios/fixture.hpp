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

  static void expect(const std::string& text) {
    const auto [allocator, by] = GetParam();
    const std::string driver = std::string(CLASSIC_DRIVERS) + allocator;
    EXPECT_EQ(normalised(text), transcript(driver, by, text));
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

// Proves: what a user writes behind --workload= selects the right entry and values; every mistake
// gets a message that names what would be right; modules that cannot serve are refused; phases
// reach the listener. Does not prove: that a good module works (user_module_test.py does), or
// anything about the workloads themselves.
#include "workloads/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace workloads {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Nothing : public Workload {
 public:
  Tally run(int /*thread_index*/, Steps& steps) override {
    return {static_cast<std::uint64_t>(steps.total()), 0};
  }
};

const Factory make_nothing = [](const Setup&) { return std::make_unique<Nothing>(); };

const Registration zebra({.name = "zebra", .question = "?"}, make_nothing);
const Registration apple({.name = "apple",
                          .question = "?",
                          .parameters = {{"min", 8, "bytes", "smallest", 1, 1 << 20},
                                         {"slots", 5000, "", "blocks held", 1, 1 << 30},
                                         {"order", 0, "", "freed", 0, 1, {"fifo", "lifo"}}}},
                         make_nothing);

std::string error_of(std::string_view text) {
  try {
    select(text);
  } catch (const SelectionError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Registry, ListsInOrderOfName) {
  ASSERT_EQ(registered().size(), 2U);
  EXPECT_EQ(registered()[0].info.name, "apple");
  EXPECT_EQ(registered()[1].info.name, "zebra");
  EXPECT_EQ(find("pear"), nullptr);
}

TEST(Select, NameAloneTakesTheDefaults) {
  const Selection selection = select("apple");
  EXPECT_EQ(selection.values, (std::vector<std::int64_t>{8, 5000, 0}));
  EXPECT_EQ(selection.name(), "apple");
}

TEST(Select, ReadsValuesSuffixesAndChoices) {
  const Selection selection = select("apple:order=lifo,slots=2k,min=1M");
  EXPECT_EQ(selection.values, (std::vector<std::int64_t>{1 << 20, 2048, 1}));
  EXPECT_EQ(selection.name(), "apple:min=1048576,slots=2048,order=lifo");
  EXPECT_EQ(select(selection.name()).values, selection.values);
}

TEST(Select, NamesOnlyWhatDiffersFromTheDefault) {
  EXPECT_EQ(select("apple:min=8,slots=7").name(), "apple:slots=7");
}

TEST(Select, SetupGivesParametersByName) {
  const Selection selection = select("apple:min=16");
  const workloads::Setup setup = selection.setup(3, 42);
  EXPECT_EQ(setup["min"], 16);
  EXPECT_EQ(setup.count("slots"), 5000U);
  EXPECT_EQ(setup.threads(), 3);
  EXPECT_EQ(setup.seed(), 42U);
  EXPECT_THROW(static_cast<void>(setup["max"]), std::out_of_range);
}

TEST(Select, UnknownNameListsTheNearest) {
  EXPECT_THAT(error_of("aple"),
              HasSubstr("no workload is called 'aple'; the nearest are apple, zebra"));
  EXPECT_THAT(error_of("bra"), HasSubstr("nearest are zebra"));
  EXPECT_THAT(error_of(""), HasSubstr("no workload is called ''"));
}

TEST(Select, UnknownKeyListsTheKeysWithTheirRanges) {
  const std::string error = error_of("apple:max=3");
  EXPECT_THAT(error, HasSubstr("no parameter 'max'"));
  EXPECT_THAT(
      error,
      HasSubstr("min (1 to 1048576 bytes), slots (1 to 1073741824), order (one of fifo, lifo)"));
  EXPECT_THAT(error_of("zebra:a=1"), HasSubstr("it has no parameters"));
}

TEST(Select, ValuesOutOfRangeOrUnreadableNameTheRange) {
  for (const char* text :
       {"apple:min=0", "apple:min=-1", "apple:min=1048577", "apple:min=", "apple:min=1.5",
        "apple:min=x", "apple:min=k", "apple:min= 3", "apple:min=99999999999999999999",
        "apple:min=9223372036854775807k", "apple:min=0x10", "apple:min=1kk"}) {
    EXPECT_THAT(error_of(text), HasSubstr("it must be 1 to 1048576 bytes")) << text;
  }
  EXPECT_THAT(error_of("apple:order=2"), HasSubstr("it must be one of fifo, lifo"));
}

TEST(Select, MissingAndRepeatedAssignmentsAreErrors) {
  EXPECT_THAT(error_of("apple:slots"), HasSubstr("slots needs a value: write slots=5000"));
  EXPECT_THAT(error_of("apple:order"), HasSubstr("write order=fifo"));
  EXPECT_THAT(error_of("apple:min=1,min=2"), HasSubstr("min is given twice"));
  EXPECT_THAT(error_of("apple:"), HasSubstr("no parameter ''"));
  EXPECT_THAT(error_of("apple:min=1,"), HasSubstr("no parameter ''"));
}

TEST(Modules, WhatCannotBeLoadedIsAnErrorThatNamesTheFile) {
  const auto error_of_module = [](const std::filesystem::path& path) -> std::string {
    try {
      load_module(path);
    } catch (const SelectionError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of_module("./missing.so"),
              HasSubstr("cannot load workloads from ./missing.so"));
  EXPECT_THAT(error_of_module("missing.so"), HasSubstr("./missing.so"));
  // A library that is there and registers nothing.
  EXPECT_THAT(error_of_module("/lib/x86_64-linux-gnu/libm.so.6"),
              HasSubstr("registers no workload"));
}

TEST(Modules, ADirectoryReportsEachFileThatFails) {
  const std::filesystem::path directory =
      std::filesystem::path(::testing::TempDir()) / "workloads_modules";
  std::filesystem::create_directory(directory);
  std::ofstream(directory / "text.so") << "not ELF";
  std::ofstream(directory / "text.txt") << "not looked at";
  const std::vector<std::string> failures = load_modules(directory);
  std::filesystem::remove_all(directory);
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_THAT(failures[0], HasSubstr("text.so"));
  EXPECT_THAT(load_modules(directory), IsEmpty());
}

TEST(Phases, ReachTheListenerUntilItIsTakenAway) {
  static std::vector<std::string> heard;
  mark_phase("before");
  set_phase_listener([](const char* name) { heard.emplace_back(name); });
  mark_phase("filled");
  mark_phase("drained");
  set_phase_listener(nullptr);
  mark_phase("after");
  EXPECT_EQ(heard, (std::vector<std::string>{"filled", "drained"}));
}

}  // namespace
}  // namespace workloads

// Proves: every line of every suite names a workload that exists, a synthetic one with parameters
// that it accepts, and no two lines the same; the smoke suite runs each synthetic workload at its
// smoke size; standard and full leave none out but the server workloads, which suite server has. Does not prove that the runner reads the settings
// (bench/tests do), nor how long a suite takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "workloads/registry.hpp"

namespace workloads {
namespace {

namespace fs = std::filesystem;

// The lines that name workloads, by their first word; the rest of each as it stands.
std::map<std::string, std::string> lines_of(const std::string& suite) {
  std::ifstream file(fs::path(SUITES_FOLDER) / (suite + ".suite"));
  EXPECT_TRUE(file) << suite;
  std::map<std::string, std::string> lines;
  for (std::string row; std::getline(file, row);) {
    std::istringstream words(row.substr(0, row.find('#')));
    std::string first;
    std::string rest;
    if (!(words >> first) || first == "set") {
      continue;
    }
    std::getline(words, rest);
    EXPECT_FALSE(lines.contains(first)) << suite << " names " << first << " twice";
    lines[first] = rest;
  }
  return lines;
}

// Its source is there, whether or not its library is.
bool is_realistic(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return fs::exists(fs::path(REALISTIC_FOLDER) / (name + ".cpp"));
}

// Traces are registered by the worker, from the files that are shipped.
bool is_trace(const std::string& name) {
  const std::string prefix = "trace/";
  const fs::path folder = fs::path(SUITES_FOLDER) / "../trace/shipped";
  return name == prefix + "*" ||
         (name.starts_with(prefix) && fs::exists(folder / (name.substr(prefix.size()) + ".trace")));
}

// An entry of programs.json, by the name that selects it.
bool is_program(const std::string& name) {
  const std::string prefix = "program/";
  if (!name.starts_with(prefix)) {
    return false;
  }
  std::ifstream file(fs::path(SUITES_FOLDER) / "../programs/programs.json");
  std::stringstream entries;
  entries << file.rdbuf();
  return name == prefix + "*" || entries.str().find("\"name\": \"" + name.substr(prefix.size()) +
                                                    "\"") != std::string::npos;
}

std::string smoke_selection(const Info& info) {
  if (info.smoke_parameters.empty()) {
    return info.name;
  }
  return select(info.name + ":" + info.smoke_parameters).name();
}

class Suites : public ::testing::TestWithParam<const char*> {};

TEST_P(Suites, NameEachWorkloadOnceWithParametersItAccepts) {
  std::map<std::string, std::string> text_of;  // by the name in results
  for (const auto& [text, rest] : lines_of(GetParam())) {
    const std::string name = text.substr(0, text.find(':'));
    if (find(name) == nullptr) {
      EXPECT_TRUE(is_realistic(name) || is_trace(name) || is_program(name)) << text;
      continue;
    }
    try {
      const auto [other, is_new] = text_of.emplace(select(text).name(), text);
      EXPECT_TRUE(is_new) << text << " is the same as " << other->second;
    } catch (const SelectionError& error) {
      ADD_FAILURE() << text << ": " << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Suites,
                         ::testing::Values("quick", "standard", "real", "full", "ladder", "fragmentation",
                                           "scaling", "server", "smoke", "traces"),
                         [](const auto& suite) { return std::string(suite.param); });

TEST(SmokeSuite, RunsEachWorkloadAtItsSmokeSize) {
  const auto lines = lines_of("smoke");
  for (const Entry& entry : registered()) {
    const auto line = lines.find(smoke_selection(entry.info));
    ASSERT_NE(line, lines.end()) << smoke_selection(entry.info);
    EXPECT_THAT(
        line->second + " ",
        ::testing::HasSubstr("iterations=" + std::to_string(entry.info.smoke_iterations) + " "))
        << entry.info.name;
  }
}

TEST(StandardAndFullSuite, HaveEachKindOfWorkload) {
  for (const char* suite : {"standard", "full"}) {
    int realistic = 0;
    int traces = 0;
    int programs = 0;
    for (const auto& [text, rest] : lines_of(suite)) {
      realistic += is_realistic(text) ? 1 : 0;
      traces += is_trace(text) ? 1 : 0;
      programs += is_program(text) ? 1 : 0;
    }
    EXPECT_GT(realistic, 0) << suite;
    EXPECT_GT(traces, 0) << suite;
    EXPECT_GT(programs, 0) << suite;
  }
}

TEST(StandardAndFullSuite, LeaveNoWorkloadOut) {
  for (const char* suite : {"standard", "full"}) {
    std::vector<std::string> names;
    for (const auto& [text, rest] : lines_of(suite)) {
      names.push_back(text.substr(0, text.find(':')));
    }
    for (const Entry& entry : registered()) {
      if (entry.info.kind != Kind::kServer) {  // which have a suite of their own
        EXPECT_THAT(names, ::testing::Contains(entry.info.name)) << suite;
      }
    }
  }
}

TEST(ServerSuite, HasEveryServerWorkload) {
  std::vector<std::string> names;
  for (const auto& [text, rest] : lines_of("server")) {
    names.push_back(text.substr(0, text.find(':')));
  }
  for (const Entry& entry : registered()) {
    if (entry.info.kind == Kind::kServer) {
      EXPECT_THAT(names, ::testing::Contains(entry.info.name));
    }
  }
}

}  // namespace
}  // namespace workloads

// The scenarios that were built: small programs, several in one binary, each run by its id in a process of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/verify/verdict.hpp"

namespace bench::verify {

struct Scenario {
  std::string id;     // "api.calloc.zeroed"
  std::string right;  // what is right, in one line
  std::string file;   // of scenarios/
  int line = 0;       // in it
  Kind kind = Kind::kMustHold;
  double timeout_s = 0;
  std::string option;  // "NAME=VALUE": an allocator that did not pass is run again with it; empty: none
  std::vector<std::string> variants;  // in which it was built: "c-O2", ...

  [[nodiscard]] std::string section() const { return id.substr(0, id.find('.')); }
};

// "c-O2" first: the one that scenarios which take long are run in.
const std::vector<std::string>& variant_names();

// Known sections in the order of tables.
const std::vector<std::string>& section_names();

// The binary of a variant.
std::filesystem::path program_of(const std::filesystem::path& libexec, const std::string& variant);

// Asks the binaries what they hold. Throws std::runtime_error if one is missing or says something else.
std::vector<Scenario> read_catalogue(const std::filesystem::path& libexec, const std::filesystem::path& scratch, Signals& signals);

// The part of its source file that holds the scenario, with what it shares with its neighbours, and how to run it.
// Throws std::runtime_error if the file cannot be read.
std::string source_of(const Scenario& scenario, const std::filesystem::path& source_folder);

}  // namespace bench::verify

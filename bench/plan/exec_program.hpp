// A program to measure as a whole: the command of `bench exec`, or a ready entry of workloads/programs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bench {

struct Program {
  std::string name;                      // as tables show it: "program/redis", or the command's own
  std::string question;                  // one line, of ready entries
  std::vector<std::string> command;      // words
  std::vector<std::string> environment;  // NAME=VALUE, for the command
  std::vector<std::string> setup;        // words: once, before anything is measured, without the allocator
  std::vector<std::string> prepare;      // words: before each run, not measured, without the allocator
  std::vector<std::string> ready;        // words: succeeds once a server answers; empty: not a server
  std::vector<std::string> load;         // words: the server's work, without the allocator
  std::string metric;                    // regular expression: its group in the load's (or program's) output is the throughput
  bool check_output = false;             // stdout must be the same under every allocator
  std::string package;                   // Debian packages that bring it; empty for a command of the user's
  bool is_ready_entry = false;           // {inputs} and {scratch} in its words stand for folders
};

// The ready entries of FOLDER/programs.json, named "program/...", in its order; none if there is no such file. Throws UsageError for
// an entry that lacks something. What an entry holds: workloads/programs/README.md.
std::vector<Program> ready_programs(const std::filesystem::path& folder);

// The program with what its braces stand for.
Program in_folders(Program program, const std::filesystem::path& inputs, const std::filesystem::path& scratch);

// The first program that a ready entry needs and that is not installed; nothing if all are.
std::optional<std::string> missing_need(const Program& program);

// Where a command's first word is found: as it is if it holds a slash, else in PATH. Throws UsageError if nowhere.
std::filesystem::path find_executable(const std::string& word);

// The program that the kernel runs for that file: itself, or for a script the interpreter that its #! names.
std::filesystem::path program_behind(const std::filesystem::path& executable);

// Why preloading an allocator into that program does nothing, in one line: static, setuid, another architecture, a malloc of its own.
// Nothing if preloading works.
std::optional<std::string> why_not_preloadable(const std::filesystem::path& program);

}  // namespace bench

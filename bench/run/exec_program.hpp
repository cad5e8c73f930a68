// A program to measure as a whole: the command of `bench exec`, or a ready entry of workloads/programs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bench {

struct Program {
  std::string name;                  // as tables show it: "program/redis", or the command's own
  std::string question;              // one line, of ready entries
  std::vector<std::string> command;  // words; of ready entries before expansion: one string, split as a shell does
  std::string input;                 // shell command, once: makes what the program reads, in its folder
  std::string prepare;               // shell command, before each run, not measured
  std::string ready;                 // shell command that succeeds once a server answers; empty: not a server
  std::string load;                  // shell command that is the server's work
  std::string metric;                // regular expression: its first group in the load's (or program's) output is the throughput
  bool check_output = false;         // stdout must be the same under every allocator
  std::vector<std::string> needs;    // programs that must be installed
  std::string package;               // Debian packages that bring them
  std::filesystem::path folder;      // to run in; empty: where bench was started
};

// Reads one ready entry; throws UsageError with file and line. The grammar: workloads/programs/README.md.
Program read_program(const std::filesystem::path& file);

// All ready entries of a folder, by name. Entries are named "program/<file's stem>".
std::vector<Program> ready_programs(const std::filesystem::path& folder);

// The first program of `needs` that is not installed; nothing if all are.
std::optional<std::string> missing_need(const Program& program);

// Where a command's first word is found: as it is if it holds a slash, else in PATH. Throws UsageError if nowhere.
std::filesystem::path find_executable(const std::string& word);

// The program that the kernel runs for that file: itself, or for a script the interpreter that its #! names.
std::filesystem::path program_behind(const std::filesystem::path& executable);

// Why preloading an allocator into that program does nothing, in one line: static, setuid, another architecture, a malloc of its own.
// Nothing if preloading works.
std::optional<std::string> why_not_preloadable(const std::filesystem::path& program);

}  // namespace bench

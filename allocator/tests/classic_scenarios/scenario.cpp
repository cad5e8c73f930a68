#include "allocator/tests/classic_scenarios/scenario.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <vector>

namespace scenario {
namespace {

using Address = unsigned long;

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string joined;
    for (std::string word; words >> word;) {
      joined += (joined.empty() ? "" : " ") + word;
    }
    if (!joined.empty()) {
      lines.push_back(joined);
    }
  }
  return lines;
}

std::string step_of(const std::string& line) { return line.substr(0, line.find(" ->")); }

// Runs a program with both outputs in `output`; its wait status.
int run(const std::vector<std::string>& command, const std::string& output) {
  std::vector<char*> argv;
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

std::string contents(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Two files for one run, removed with it.
class Scratch {
 public:
  Scratch() {
    if (mkdtemp(directory_.data()) == nullptr) {
      directory_.clear();
    }
  }
  ~Scratch() {
    unlink(trace().c_str());
    unlink(output().c_str());
    rmdir(directory_.c_str());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::string trace() const { return directory_ + "/trace"; }
  [[nodiscard]] std::string output() const { return directory_ + "/output"; }

 private:
  std::string directory_ = "/tmp/classic_scenario.XXXXXX";
};

// Reads strace's lines one by one; knows the break and the live mappings.
class Reader {
 public:
  // A step's end if the line is a marker: its result. Otherwise the call is noted for the current
  // step.
  bool is_marker(const std::string& line) {
    std::smatch match;
    static const std::regex kMarker(R"re(^write\(1, "> ([0-9a-f]{16})\\n", 19\).*)re");
    if (std::regex_match(line, match, kMarker)) {
      result_ = std::stoul(match[1], nullptr, 16);
      return true;
    }
    note(line);
    return false;
  }

  // Forgets what the loader did, but for where the heap will start.
  void start() {
    calls_.clear();
    mappings_.clear();
  }

  // Result and calls of the step that the last marker ended.
  std::string finish(bool has_block) {
    std::string text = has_block ? place(result_) : "ok";
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      text += (i == 0 ? " | " : ", ") + calls_[i];
    }
    calls_.clear();
    return text;
  }

 private:
  void note(const std::string& line) {
    static const std::regex kBrk(R"(^brk\((NULL|0x[0-9a-f]+)\) += (0x[0-9a-f]+)$)");
    static const std::regex kMap(
        R"(^mmap\(NULL, (\d+), PROT_READ\|PROT_WRITE, MAP_PRIVATE\|MAP_ANONYMOUS, )"
        R"(-1, 0\) = (0x[0-9a-f]+)$)");
    static const std::regex kUnmap(R"(^munmap\((0x[0-9a-f]+), (\d+)\) += 0$)");
    std::smatch match;
    if (std::regex_match(line, match, kBrk)) {
      note_break(match[1], std::stoul(match[2], nullptr, 16));
    } else if (std::regex_match(line, match, kMap)) {
      mappings_[std::stoul(match[2], nullptr, 16)] = std::stoul(match[1]);
      calls_.push_back("mmap " + match[1].str());
    } else if (std::regex_match(line, match, kUnmap) &&
               mappings_.erase(std::stoul(match[1], nullptr, 16)) == 1) {
      calls_.push_back("munmap " + match[2].str());
    } else if (line.rfind("+++", 0) != 0) {
      calls_.push_back(line);
    }
  }

  // The loader's question comes first and tells where the heap will start.
  void note_break(const std::string& argument, Address answer) {
    if (heap_start_ == 0) {
      heap_start_ = answer;
    } else if (argument == "NULL") {
      calls_.emplace_back("brk 0");
    } else {
      calls_.push_back("brk +" + std::to_string(answer - break_));
    }
    break_ = answer;
  }

  std::string place(Address address) const {
    if (address == 0) {
      return "null";
    }
    const auto after = mappings_.upper_bound(address);
    if (after != mappings_.begin()) {
      const auto& [start, length] = *std::prev(after);
      if (address < start + length) {
        return "map+" + std::to_string(address - start);
      }
    }
    return std::to_string(static_cast<long>(address - heap_start_));
  }

  Address heap_start_ = 0;
  Address break_ = 0;
  Address result_ = 0;
  std::map<Address, Address> mappings_;  // start -> length
  std::vector<std::string> calls_;
};

}  // namespace

const std::string& why_not() {
  static const std::string kReason = [] {
    const Scratch scratch;
    const int status =
        run({"strace", "-e", "trace=brk", "-o", scratch.trace(), "true"}, scratch.output());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
      return std::string("strace is not installed: apt-get install strace");
    }
    if (status != 0 || contents(scratch.trace()).find("brk(") == std::string::npos) {
      return "strace cannot trace here: " + contents(scratch.output());
    }
    return std::string();
  }();
  return kReason;
}

std::string normalised(const std::string& text) {
  std::string joined;
  for (const std::string& line : lines_of(text)) {
    joined += line + "\n";
  }
  return joined;
}

std::string transcript(const std::string& driver, const std::string& by,
                       const std::string& scenario) {
  const Scratch scratch;
  std::vector<std::string> command = {
      "strace", "-e", "trace=brk,mmap,munmap,mremap,write", "-o", scratch.trace(), driver, by};
  std::vector<std::string> steps;
  for (const std::string& line : lines_of(scenario)) {
    steps.push_back(step_of(line));
    command.push_back(steps.back());
  }
  const int status = run(command, scratch.output());
  const std::vector<std::string> trace = lines_of(contents(scratch.trace()));
  Reader reader;
  std::string text;
  std::size_t markers = 0;  // the first one says that main was reached
  for (const std::string& line : trace) {
    if (markers > steps.size() || !reader.is_marker(line)) {
      continue;
    }
    if (markers == 0) {
      reader.start();
    } else {
      const std::string& step = steps[markers - 1];
      const bool has_block = step.rfind("free ", 0) != 0 && step.rfind("sbrk ", 0) != 0;
      text += step + " -> " + reader.finish(has_block) + "\n";
    }
    ++markers;
  }
  if (status != 0) {
    text += "driver ended with wait status " + std::to_string(status) + "\n" +
            contents(scratch.output());
  }
  return text;
}

}  // namespace scenario

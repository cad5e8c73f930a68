#include "bench/protocol/request.hpp"

#include <array>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace bench::worker {
namespace {

constexpr std::array<std::pair<std::string_view, Mode>, 8> kModes = {{{"identify", Mode::kIdentify},
                                                                      {"list", Mode::kList},
                                                                      {"resolve", Mode::kResolve},
                                                                      {"calibrate", Mode::kCalibrate},
                                                                      {"measure", Mode::kMeasure},
                                                                      {"live", Mode::kLive},
                                                                      {"memory", Mode::kMemory},
                                                                      {"peak", Mode::kPeak}}};

[[noreturn]] void reject(std::string_view key, std::string_view value) {
  throw std::runtime_error("cannot read '" + std::string(key) + "=" + std::string(value) +
                           "'; bench-worker is started by bench, not by hand");
}

template <typename T>
T number(std::string_view key, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    reject(key, text);
  }
  return value;
}

Mode mode_named(std::string_view name) {
  for (const auto& [known, mode] : kModes) {
    if (known == name) {
      return mode;
    }
  }
  reject("mode", name);
}

void set(Request& request, std::string_view key, std::string_view value) {
  if (key == "mode") {
    request.mode = mode_named(value);
  } else if (key == "result") {
    request.result = value;
  } else if (key == "library") {
    request.library = value;
  } else if (key == "workload") {
    request.workload = value;
  } else if (key == "resolve") {
    request.workloads.emplace_back(value);
  } else if (key == "module") {
    request.modules.emplace_back(value);
  } else if (key == "module-folder") {
    request.module_folder = value;
  } else if (key == "trace-folder") {
    request.trace_folder = value;
  } else if (key == "threads") {
    request.threads = number<int>(key, value);
  } else if (key == "iterations") {
    request.iterations = number<std::int64_t>(key, value);
  } else if (key == "min-time") {
    request.min_time_s = number<double>(key, value);
  } else if (key == "seed") {
    request.seed = number<std::uint64_t>(key, value);
  } else if (key == "drain") {
    request.drain_s.push_back(number<double>(key, value));
  } else {
    reject(key, value);
  }
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

}  // namespace

Request parse_request(int argc, char** argv) {
  Request request;
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string_view word = argv[i];
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) {
      reject(word, "");
    }
    set(request, word.substr(0, equals), word.substr(equals + 1));
  }
  if (request.result.empty()) {
    throw std::runtime_error("no result=FILE; bench-worker is started by bench, not by hand");
  }
  return request;
}

std::vector<std::string> words_of(const Request& request) {
  std::vector<std::string> words;
  const auto add = [&words](const char* key, const std::string& value) { words.push_back(std::string(key) + "=" + value); };
  for (const auto& [name, mode] : kModes) {
    if (mode == request.mode) {
      add("mode", std::string(name));
    }
  }
  add("result", request.result.string());
  add("library", request.library.string());
  add("workload", request.workload);
  add("module-folder", request.module_folder.string());
  add("trace-folder", request.trace_folder.string());
  add("threads", std::to_string(request.threads));
  add("iterations", std::to_string(request.iterations));
  add("min-time", shortest(request.min_time_s));
  add("seed", std::to_string(request.seed));
  for (const auto& workload : request.workloads) {
    add("resolve", workload);
  }
  for (const auto& module : request.modules) {
    add("module", module.string());
  }
  for (const double seconds : request.drain_s) {
    add("drain", shortest(seconds));
  }
  return words;
}

}  // namespace bench::worker

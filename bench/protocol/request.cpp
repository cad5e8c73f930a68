#include "bench/protocol/request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace bench::worker {
namespace {

constexpr std::array<std::pair<std::string_view, Mode>, 12> kModes = {{{"identify", Mode::kIdentify},
                                                                      {"list", Mode::kList},
                                                                      {"resolve", Mode::kResolve},
                                                                      {"calibrate", Mode::kCalibrate},
                                                                      {"measure", Mode::kMeasure},
                                                                      {"live", Mode::kLive},
                                                                      {"memory", Mode::kMemory},
                                                                      {"peak", Mode::kPeak},
                                                                      {"latency", Mode::kLatency},
                                                                      {"explain", Mode::kExplain},
                                                                      {"serve", Mode::kServe},
                                                                      {"count", Mode::kCount}}};

[[noreturn]] void reject(std::string_view key, std::string_view value) {
  throw std::runtime_error("cannot read '" + std::string(key) + "=" + std::string(value) +
                           "'; bench-worker is started by bench, not by hand");
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

// One value as a word's right side, and back. A list is a word for each of its members.
void read(Mode& mode, std::string_view key, std::string_view text) {
  const auto* known = std::ranges::find(kModes, text, &std::pair<std::string_view, Mode>::first);
  if (known == kModes.end()) {
    reject(key, text);
  }
  mode = known->second;
}
void read(std::string& out, std::string_view, std::string_view text) { out = text; }
void read(std::filesystem::path& out, std::string_view, std::string_view text) { out = text; }
template <typename T>
  requires std::is_arithmetic_v<T>
void read(T& out, std::string_view key, std::string_view text) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) {
    reject(key, text);
  }
}
template <typename T>
void read(std::vector<T>& out, std::string_view key, std::string_view text) {
  read(out.emplace_back(), key, text);
}

using Words = std::vector<std::string>;

void write(Words& words, std::string_view key, const std::string& value) { words.push_back(std::string(key) + "=" + value); }
void write(Words& words, std::string_view key, const std::filesystem::path& value) { write(words, key, value.string()); }
void write(Words& words, std::string_view key, double value) { write(words, key, shortest(value)); }
template <std::integral T>
void write(Words& words, std::string_view key, T value) {
  write(words, key, std::to_string(value));
}
void write(Words& words, std::string_view key, Mode mode) {
  write(words, key, std::string(std::ranges::find(kModes, mode, &std::pair<std::string_view, Mode>::second)->first));
}
template <typename T>
void write(Words& words, std::string_view key, const std::vector<T>& values) {
  for (const auto& value : values) {
    write(words, key, value);
  }
}

// Every field of a request: its word and its member.
constexpr std::tuple kFields{
    std::pair{"mode", &Request::mode},
    std::pair{"result", &Request::result},
    std::pair{"library", &Request::library},
    std::pair{"workload", &Request::workload},
    std::pair{"resolve", &Request::workloads},
    std::pair{"module", &Request::modules},
    std::pair{"module-folder", &Request::module_folder},
    std::pair{"trace-folder", &Request::trace_folder},
    std::pair{"threads", &Request::threads},
    std::pair{"iterations", &Request::iterations},
    std::pair{"slice", &Request::slice_iterations},
    std::pair{"turns", &Request::turns},
    std::pair{"seed", &Request::seed},
    std::pair{"drain", &Request::drain_s},
};

void set(Request& request, std::string_view key, std::string_view value) {
  const auto try_field = [&](const auto& field) {
    if (key != field.first) {
      return false;
    }
    read(request.*field.second, key, value);
    return true;
  };
  if (!std::apply([&](const auto&... field) { return (try_field(field) || ...); }, kFields)) {
    reject(key, value);
  }
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
  Words words;
  std::apply([&](const auto&... field) { (write(words, field.first, request.*field.second), ...); }, kFields);
  return words;
}

}  // namespace bench::worker

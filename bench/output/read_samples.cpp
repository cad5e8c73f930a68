// Reads samples.csv: the inverse of samples_csv_row.
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "bench/output/format.hpp"
#include "bench/output/run_directory.hpp"

namespace bench {
namespace {

constexpr std::size_t kColumns = 11;

// The fields of one line; fewer or more than kColumns if it is damaged.
std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields(1);
  bool inside = false;  // of quotes
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && inside && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (line[i] == '"') {
      inside = !inside;
    } else if (line[i] == ',' && !inside) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

// Nothing unless the whole text is a number.
template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

std::optional<Status> status_in(std::string_view text) {
  for (const Status status : {Status::kOk, Status::kFailed, Status::kCrashed, Status::kTimeout,
                              Status::kOutOfMemory, Status::kWrong, Status::kSkipped}) {
    if (to_string(status) == text) {
      return status;
    }
  }
  return std::nullopt;
}

std::optional<Sample> sample_in(std::string_view line) {
  const std::vector<std::string> fields = fields_of(line);
  if (fields.size() != kColumns) {
    return std::nullopt;
  }
  const auto block = number_in<int>(fields[0]);
  const auto threads = number_in<int>(fields[2]);
  const auto kind = kind_named(fields[3]);
  const auto value = number_in<double>(fields[7]);
  const auto log_ratio = number_in<double>(fields[8]);
  const auto status = status_in(fields[9]);
  const bool needs_value = status == Status::kOk;
  if (!block || !threads || !kind || !status || needs_value != value.has_value() ||
      log_ratio.has_value() == fields[8].empty()) {
    return std::nullopt;
  }
  return Sample{*block, fields[1], *threads, fields[4],  fields[5], fields[6],
                value,  *status,   fields[10], *kind, log_ratio};
}

}  // namespace

std::vector<Sample> read_samples(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  if (!in || !std::getline(in, line)) {
    throw std::runtime_error(fmt::format("cannot read {}: {}", file.string(),
                                         in.is_open() ? "it is empty" : std::strerror(errno)));
  }
  if (line + '\n' != samples_csv_header()) {
    throw std::runtime_error(fmt::format("{}:1: not the header of a samples.csv", file.string()));
  }
  std::vector<Sample> samples;
  for (int number = 2; std::getline(in, line); ++number) {
    auto sample = sample_in(line);
    if (!sample) {
      throw std::runtime_error(
          fmt::format("{}:{}: not a row of a samples.csv", file.string(), number));
    }
    samples.push_back(std::move(*sample));
  }
  return samples;
}

}  // namespace bench

// Reads samples.csv: the inverse of samples_csv_row.
#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

#include "bench/output/csv_file.hpp"
#include "bench/output/format.hpp"
#include "bench/output/run_directory.hpp"

namespace bench {
namespace {

constexpr std::size_t kColumns = 11;  // more or fewer: the row is damaged

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
  const std::vector<std::string> fields = csv_fields(line);
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
  const std::vector<std::string> lines = read_lines(file).lines;
  if (lines.empty()) {
    throw std::runtime_error(fmt::format("cannot read {}: it is empty", file.string()));
  }
  if (lines[0] + '\n' != samples_csv_header()) {
    throw OtherVersion(fmt::format("{}:1: not the header of a samples.csv of this version", file.string()));
  }
  std::vector<Sample> samples;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto sample = sample_in(lines[i]);
    if (!sample) {
      throw std::runtime_error(
          fmt::format("{}:{}: not a row of a samples.csv", file.string(), i + 1));
    }
    samples.push_back(std::move(*sample));
  }
  return samples;
}

}  // namespace bench

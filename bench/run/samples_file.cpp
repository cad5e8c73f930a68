#include "bench/run/samples_file.hpp"

#include <array>
#include <charconv>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace bench {
namespace {

constexpr std::size_t kColumns = 9;  // block,workload,threads,allocator,metric,unit,value,status,detail

// Fields of RFC 4180, one record at a time; a field in quotes may hold commas, quotes (doubled) and line ends.
class Records {
 public:
  explicit Records(std::string text) : text_(std::move(text)) {}

  // False at the end, or where a record is not ended by a newline.
  bool next(std::vector<std::string>& fields) {
    fields.assign(1, "");
    bool in_quotes = false;
    for (std::size_t i = at_; i < text_.size(); ++i) {
      const char c = text_[i];
      lines_ += c == '\n' ? 1 : 0;
      if (c == '"') {
        const bool doubled = in_quotes && i + 1 < text_.size() && text_[i + 1] == '"';
        if (doubled) {
          fields.back() += text_[++i];
        } else {
          in_quotes = !in_quotes;
        }
      } else if (c == ',' && !in_quotes) {
        fields.emplace_back();
      } else if (c == '\n' && !in_quotes) {
        at_ = i + 1;
        return true;
      } else if (c != '\r' || in_quotes) {
        fields.back() += c;
      }
    }
    return false;
  }

  [[nodiscard]] int lines() const { return lines_; }

 private:
  std::string text_;
  std::size_t at_ = 0;
  int lines_ = 0;
};

template <typename T>
bool read_number(const std::string& text, T& value) {
  return std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size() && !text.empty();
}

bool read_status(const std::string& text, Status& status) {
  for (const Status known : {Status::kOk, Status::kFailed, Status::kCrashed, Status::kTimeout, Status::kOutOfMemory,
                             Status::kWrong, Status::kSkipped}) {
    if (to_string(known) == text) {
      status = known;
      return true;
    }
  }
  return false;
}

bool read_sample(const std::vector<std::string>& fields, Sample& sample) {
  if (fields.size() != kColumns || !read_number(fields[0], sample.block) || !read_number(fields[2], sample.threads) ||
      !read_status(fields[7], sample.status)) {
    return false;
  }
  double value = 0;
  if (!fields[6].empty() && !read_number(fields[6], value)) {
    return false;
  }
  sample.workload = fields[1];
  sample.allocator = fields[3];
  sample.metric = fields[4];
  sample.unit = fields[5];
  sample.value = fields[6].empty() ? std::nullopt : std::optional(value);
  sample.detail = fields[8];
  return true;
}

}  // namespace

std::vector<Sample> read_samples(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) {
    throw std::runtime_error("cannot read " + file.string());
  }
  Records records(text.str());
  std::vector<std::string> fields;
  std::vector<Sample> samples;
  bool header = true;
  while (records.next(fields)) {
    Sample sample;
    if (!header && !read_sample(fields, sample)) {
      throw std::runtime_error(file.string() + ":" + std::to_string(records.lines()) + ": not a row of samples.csv");
    }
    if (!header) {
      samples.push_back(std::move(sample));
    }
    header = false;
  }
  return samples;
}

}  // namespace bench

#include "bench/output/csv_file.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace bench {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& file, std::string_view reason) {
  throw std::runtime_error(fmt::format("cannot read {}: {}", file.string(), reason));
}

struct Close {
  void operator()(gzFile file) const { gzclose_r(file); }
};

// zlib hands plain files through as they are.
std::string whole_text(const fs::path& file) {
  if (std::error_code error; fs::is_directory(file, error)) {
    fail(file, std::strerror(EISDIR));
  }
  const std::unique_ptr<gzFile_s, Close> in(gzopen(file.c_str(), "rb"));
  if (!in) {
    fail(file, std::strerror(errno));
  }
  std::string text;
  std::array<char, std::size_t{64} << 10> buffer;
  int got = 0;
  while ((got = gzread(in.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int error = Z_OK;
  const char* reason = gzerror(in.get(), &error);
  if (got < 0 || (error != Z_OK && error != Z_STREAM_END)) {
    fail(file, error == Z_ERRNO ? std::strerror(errno) : fmt::format("damaged: {}", reason));
  }
  return text;
}

}  // namespace

fs::path packed_or_plain(const fs::path& file) {
  fs::path packed = file;
  packed += ".gz";
  std::error_code error;
  return !fs::exists(file, error) && fs::exists(packed, error) ? packed : file;
}

Lines read_lines(const fs::path& file) {
  const std::string text = whole_text(file);
  Lines result;
  result.whole = text.empty() || text.back() == '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    result.lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return result;
}

std::vector<std::string> csv_fields(std::string_view line) {
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

}  // namespace bench

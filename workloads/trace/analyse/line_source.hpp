// The lines of a text file that is plain, gzip or zstd; memory is one line (of at most 1 MiB) and
// one buffer.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trace {

class LineSource {
 public:
  // Throws TraceError.
  explicit LineSource(const std::filesystem::path& path);
  ~LineSource();
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;

  // The next line without its end, or none at the end of the file. Throws TraceError for what
  // cannot be unpacked.
  std::optional<std::string> next();
  // Number of the line last given out, from 1.
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[noreturn]] void fail(const std::string& what) const;

 private:
  struct Decoder;
  bool refill();

  std::string name_;
  std::unique_ptr<Decoder> decoder_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace trace

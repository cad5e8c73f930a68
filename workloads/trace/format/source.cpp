#include <cerrno>
#include <cstdio>
#include <cstring>

#include "workloads/trace/format/reader.hpp"

namespace trace {
namespace {

class FileSource : public Source {
 public:
  explicit FileSource(const std::filesystem::path& path) : name_(path.string()) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
      throw TraceError(name_ + ": is a directory, not a trace");
    }
    file_.reset(std::fopen(path.c_str(), "rbe"));
    if (file_ == nullptr) {
      throw TraceError(name_ + ": cannot open it: " + std::strerror(errno));
    }
    size_ = std::filesystem::file_size(path, error);
    if (error) {
      throw TraceError(name_ + ": not a regular file");
    }
  }
  std::size_t read(void* out, std::size_t bytes) override {
    const std::size_t got = std::fread(out, 1, bytes, file_.get());
    if (got < bytes && std::ferror(file_.get()) != 0) {
      throw TraceError(name_ + ": cannot read: " + std::strerror(errno));
    }
    return got;
  }
  void seek(std::uint64_t offset) override {
    if (fseeko(file_.get(), static_cast<off_t>(offset), SEEK_SET) != 0) {
      throw TraceError(name_ + ": cannot seek: " + std::strerror(errno));
    }
  }
  [[nodiscard]] std::uint64_t size() const override { return size_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string name_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t size_ = 0;
};

class MemorySource : public Source {
 public:
  explicit MemorySource(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::size_t read(void* out, std::size_t bytes) override {
    const std::size_t got = std::min(bytes, bytes_.size() - at_);
    if (got > 0) {
      std::memcpy(out, bytes_.data() + at_, got);
    }
    at_ += got;
    return got;
  }
  void seek(std::uint64_t offset) override {
    at_ = static_cast<std::size_t>(std::min<std::uint64_t>(offset, bytes_.size()));
  }
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<Source> open_file(const std::filesystem::path& path) {
  return std::make_unique<FileSource>(path);
}

std::unique_ptr<Source> open_memory(std::span<const std::uint8_t> bytes) {
  return std::make_unique<MemorySource>(bytes);
}

}  // namespace trace

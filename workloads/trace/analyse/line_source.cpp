#include "workloads/trace/analyse/line_source.hpp"

#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "workloads/trace/format/format.hpp"

namespace trace {
namespace {

constexpr std::size_t kChunkBytes = 1 << 16;
constexpr std::size_t kMaxLineBytes = 1 << 20;

}  // namespace

// zlib reads plain files as they are; zstd is told by its magic number.
struct LineSource::Decoder {
  gzFile gzip = nullptr;
  std::FILE* file = nullptr;
  ZSTD_DStream* zstd = nullptr;
  std::vector<char> packed = std::vector<char>(kChunkBytes);
  ZSTD_inBuffer input{packed.data(), 0, 0};

  ~Decoder() {
    if (gzip != nullptr) {
      gzclose(gzip);
    }
    if (file != nullptr) {
      std::fclose(file);
    }
    ZSTD_freeDStream(zstd);
  }
  // Bytes put to `out`, 0 at the end, -1 where the file is damaged.
  long read(char* out, std::size_t bytes) {
    if (gzip != nullptr) {
      const int got = gzread(gzip, out, static_cast<unsigned>(bytes));
      int error = Z_OK;  // a file that is cut off gives all it has first
      gzerror(gzip, &error);
      return got == 0 && error == Z_BUF_ERROR ? -1 : got;
    }
    ZSTD_outBuffer output{out, bytes, 0};
    std::size_t hint = 1;
    while (output.pos == 0) {
      if (input.pos == input.size) {
        input = {packed.data(), std::fread(packed.data(), 1, packed.size(), file), 0};
        if (input.size == 0) {
          return hint <= 1 ? 0 : -1;
        }
      }
      hint = ZSTD_decompressStream(zstd, &output, &input);
      if (ZSTD_isError(hint) != 0) {
        return -1;
      }
    }
    return static_cast<long>(output.pos);
  }
};

LineSource::LineSource(const std::filesystem::path& path)
    : name_(path.string()), decoder_(std::make_unique<Decoder>()) {
  decoder_->file = std::fopen(path.c_str(), "rbe");
  if (decoder_->file == nullptr) {
    throw TraceError(name_ + ": cannot open it: " + std::strerror(errno));
  }
  std::uint32_t magic = 0;
  const bool is_zstd = std::fread(&magic, 1, sizeof magic, decoder_->file) == sizeof magic &&
                       magic == ZSTD_MAGICNUMBER;
  if (is_zstd) {
    std::rewind(decoder_->file);
    decoder_->zstd = ZSTD_createDStream();
    return;
  }
  decoder_->gzip = gzopen(path.c_str(), "rbe");
  if (decoder_->gzip == nullptr) {
    throw TraceError(name_ + ": cannot open it: " + std::strerror(errno));
  }
}

LineSource::~LineSource() = default;

void LineSource::fail(const std::string& what) const {
  throw TraceError(name_ + ": line " + std::to_string(number_) + ": " + what);
}

bool LineSource::refill() {
  buffer_.erase(0, at_);
  at_ = 0;
  if (buffer_.size() > kMaxLineBytes) {
    fail("more than 1 MiB long");
  }
  char chunk[kChunkBytes];
  const long bytes = decoder_->read(chunk, sizeof chunk);
  if (bytes < 0) {
    fail("what follows cannot be unpacked: the file is damaged or cut off");
  }
  buffer_.append(chunk, static_cast<std::size_t>(bytes));
  return bytes > 0;
}

std::optional<std::string> LineSource::next() {
  std::size_t end = buffer_.find('\n', at_);
  while (end == std::string::npos) {
    const std::size_t searched = buffer_.size() - at_;
    if (!refill()) {
      if (at_ == buffer_.size()) {
        return std::nullopt;
      }
      end = buffer_.size();
      buffer_ += '\n';
      break;
    }
    end = buffer_.find('\n', searched);
  }
  std::string line = buffer_.substr(at_, end - at_);
  at_ = end + 1;
  ++number_;
  return line;
}

}  // namespace trace

// compress: messages and a stream, packed and unpacked with fresh contexts.
//
// Question: what does an allocator cost when a few blocks of tens of KiB to a few MiB are made,
// used and freed for each message, as a server does that does not keep its contexts?
//
// Origin: zstd, one context a message, and its streaming interface.
//
// Parameters: level, the size of the stream.
//
// An iteration packs and unpacks eight messages of 1 to 16 KiB and one stream. Each thread has
// contexts of its own.
#include <zstd.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kMessages = 8;
constexpr std::size_t kLargestMessageBytes = std::size_t{16} << 10;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Packer = std::unique_ptr<ZSTD_CCtx, FreeContext>;
using Unpacker = std::unique_ptr<ZSTD_DCtx, FreeContext>;

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw std::runtime_error(std::string("compress: ") + ZSTD_getErrorName(result));
  }
  return result;
}

// A block of raw bytes of which a part is used.
struct Buffer {
  explicit Buffer(std::size_t capacity_bytes)
      : bytes(std::make_unique_for_overwrite<char[]>(capacity_bytes)), capacity(capacity_bytes) {}
  [[nodiscard]] std::string_view view() const { return {bytes.get(), size}; }

  std::unique_ptr<char[]> bytes;
  std::size_t capacity;
  std::size_t size = 0;
};

Buffer pack(std::string_view message, int level) {
  const Packer packer(ZSTD_createCCtx());
  Buffer packed(ZSTD_compressBound(message.size()));
  packed.size = checked(ZSTD_compressCCtx(packer.get(), packed.bytes.get(), packed.capacity,
                                          message.data(), message.size(), level));
  return packed;
}

Buffer unpack(std::string_view packed, std::size_t size_bytes) {
  const Unpacker unpacker(ZSTD_createDCtx());
  Buffer message(size_bytes);
  message.size = checked(ZSTD_decompressDCtx(unpacker.get(), message.bytes.get(), message.capacity,
                                             packed.data(), packed.size()));
  return message;
}

// Packs `text` in the pieces that zstd asks for, into a vector that grows.
std::vector<char> pack_stream(std::string_view text, int level) {
  const Packer packer(ZSTD_createCStream());
  checked(ZSTD_initCStream(packer.get(), level));
  Buffer piece(ZSTD_CStreamOutSize());
  std::vector<char> packed;
  for (std::size_t left = 1; left != 0;) {
    const std::size_t take = std::min(text.size(), ZSTD_CStreamInSize());
    ZSTD_inBuffer in = {text.data(), take, 0};
    ZSTD_outBuffer out = {piece.bytes.get(), piece.capacity, 0};
    const bool is_last = take == text.size();
    left = checked(
        ZSTD_compressStream2(packer.get(), &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue));
    if (!is_last) {
      left = 1;
    }
    packed.insert(packed.end(), piece.bytes.get(), piece.bytes.get() + out.pos);
    text.remove_prefix(in.pos);
  }
  return packed;
}

std::vector<char> unpack_stream(const std::vector<char>& packed) {
  const Unpacker unpacker(ZSTD_createDStream());
  Buffer piece(ZSTD_DStreamOutSize());
  std::vector<char> text;
  ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
  for (std::size_t left = 1; left != 0;) {
    ZSTD_outBuffer out = {piece.bytes.get(), piece.capacity, 0};
    left = checked(ZSTD_decompressStream(unpacker.get(), &out, &in));
    text.insert(text.end(), piece.bytes.get(), piece.bytes.get() + out.pos);
  }
  return text;
}

void demand(bool is_equal) {
  if (!is_equal) {
    throw std::runtime_error("compress: what was unpacked differs");
  }
}

class Compress : public Workload {
 public:
  explicit Compress(const Setup& setup)
      : seed_(setup.seed()),
        level_(static_cast<int>(setup["level"])),
        stream_bytes_(setup.count("stream") << 10) {
    Random random(seed_);
    const std::size_t size_bytes = std::max(stream_bytes_, kLargestMessageBytes) * 2;
    while (text_.size() < size_bytes) {
      text_ << random.below(1000000) << " ";
      append_words(text_, random, 12);
      text_ << "\n";
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    Random random(seed_, static_cast<std::uint64_t>(thread_index) + 1);
    while (steps.next()) {
      for (std::size_t message = 0; message < kMessages; ++message) {
        exchange(draw(random, random.between(1024, kLargestMessageBytes)), digest);
      }
      stream(draw(random, stream_bytes_), digest);
    }
    return {static_cast<std::uint64_t>(steps.total()) * (kMessages + 1), digest.value()};
  }

 private:
  std::string_view draw(Random& random, std::size_t size_bytes) const {
    return text_.view(random.below(text_.size() - size_bytes), size_bytes);
  }

  void exchange(std::string_view message, Digest& digest) const {
    const Buffer packed = pack(message, level_);
    digest.add(packed.view());
    demand(unpack(packed.view(), message.size()).view() == message);
  }

  void stream(std::string_view text, Digest& digest) const {
    const std::vector<char> packed = pack_stream(text, level_);
    digest.add(std::string_view(packed.data(), packed.size()));
    const std::vector<char> unpacked = unpack_stream(packed);
    demand(std::string_view(unpacked.data(), unpacked.size()) == text);
  }

  std::uint64_t seed_;
  int level_;
  std::size_t stream_bytes_;
  MappedText text_;
};

const Registration registration(
    {.name = "compress",
     .question = "What do a few large blocks a message cost, made and freed each time?",
     .origin = "zstd: a fresh context for each message and stream, packed and unpacked",
     .operation = "a message or stream, packed and unpacked",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"level", 3, "", "zstd's level", 1, 19},
                    {"stream", 256, "KiB", "size of the stream", 1, 1 << 20}},
     .smoke_iterations = 3,
     .profile = "rises and falls with each message; half of the blocks over 12 KiB, the largest "
                "over 3 MiB; lives of a message"},
    [](const Setup& setup) { return std::make_unique<Compress>(setup); });

}  // namespace
}  // namespace workloads

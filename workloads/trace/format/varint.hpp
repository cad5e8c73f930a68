// Integers of 1 to 10 bytes: seven bits a byte, least significant first, the top bit set on all
// bytes but the last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace trace {

inline void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::uint8_t>(value));
}

// Signed numbers near 0 become small unsigned ones: 0, -1, 1, -2 ... -> 0, 1, 2, 3 ...
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Reads from bytes that may be hostile: past the end or over-long it gives 0 and ok() is false from
// then on.
class VarintCursor {
 public:
  VarintCursor() = default;
  VarintCursor(const std::uint8_t* begin, std::size_t bytes) : at_(begin), end_(begin + bytes) {}

  std::uint64_t next() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const std::uint8_t byte = *at_++;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        ok_ = ok_ && (shift < 63 || byte <= 1);
        return value;
      }
    }
    ok_ = false;
    return 0;
  }
  // The next `bytes` bytes as a cursor of their own.
  VarintCursor take(std::uint64_t bytes) {
    if (bytes > remaining()) {
      ok_ = false;
      return {};
    }
    VarintCursor part(at_, static_cast<std::size_t>(bytes));
    at_ += bytes;
    return part;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return at_ == end_; }
  [[nodiscard]] std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] const std::uint8_t* data() const { return at_; }

 private:
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  bool ok_ = true;
};

}  // namespace trace

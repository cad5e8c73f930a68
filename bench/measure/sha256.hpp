// The fingerprint by which a library is told from another build of itself.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace bench {

// 64 hexadecimal digits; nothing if the file cannot be read.
std::optional<std::string> sha256_of_file(const std::filesystem::path& file);

}  // namespace bench

// CSV files of a run as they are read back, plain or packed: NAME.csv, or NAME.csv.gz where a run was published.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

// The file itself if it is there, else the packed one beside it if that is, else the file's own name.
std::filesystem::path packed_or_plain(const std::filesystem::path& file);

// All lines of a file, without their newlines, unpacked if it is a gzip file. `whole`: the last line had its newline. Throws
// std::runtime_error, one line that names the file and the reason: not to be opened or read, or a packed file that is damaged.
struct Lines {
  std::vector<std::string> lines;
  bool whole = true;
};
Lines read_lines(const std::filesystem::path& file);

// Splits a line of CSV (RFC 4180) without its newline.
std::vector<std::string> csv_fields(std::string_view line);

}  // namespace bench

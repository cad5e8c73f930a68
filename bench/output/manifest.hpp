// The seal of a run: manifest.json has the size and the SHA-256 of each of its files, and the digests of the libraries it measured.
// Whoever has the manifest's own digest can tell whether anything was changed since.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bench {

// Writes manifest.json for the files that lie in the folder now; folders in it (charts) take no part. Throws OutputError.
void seal(const std::filesystem::path& folder);

// Whether that has been done.
bool is_sealed(const std::filesystem::path& folder);

// What differs from the manifest, a line each: "samples.csv: changed since it was sealed". Empty: nothing. `unsealed` are files that came
// later (a report.html, say), which is no difference. Throws UnreadableRun for a folder without a readable manifest.
struct Inspection {
  std::vector<std::string> differences;
  std::vector<std::string> unsealed;
  std::size_t files = 0;   // in the manifest
  std::string digest;      // of the manifest itself
};
Inspection inspect_seal(const std::filesystem::path& folder);

}  // namespace bench

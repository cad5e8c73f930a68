// Golden files: what an output was when it was last read by eye.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace bench {

inline std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// That the text is golden/NAME, byte for byte. With UPDATE_GOLDEN set the file is written first.
inline void expect_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path file = std::filesystem::path(GOLDEN_DIR) / name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file) << text;
  }
  EXPECT_EQ(contents(file), text) << "golden file: " << file;
}

}  // namespace bench

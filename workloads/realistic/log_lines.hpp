// The text that the regular-expression workloads search: lines of a web server's log, drawn from
// the seed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/realistic/text.hpp"

namespace workloads {

struct LogLines {
  MappedText text;
  MappedArray<TextRange> lines;

  LogLines(std::uint64_t seed, std::size_t count) : lines(count) {
    Random random(seed);
    for (TextRange& line : lines) {
      line = draw(random);
    }
  }

  [[nodiscard]] std::string_view operator[](std::size_t i) const {
    const TextRange& line = lines[i % lines.size()];
    return text.view(line.start, line.size_bytes);
  }

 private:
  TextRange draw(Random& random) {
    const std::size_t start = text.size();
    text << random.between(1, 254) << "." << random.below(256) << "." << random.below(256) << "."
         << random.between(1, 254) << " - " << draw_word(random) << " [" << random.between(10, 28)
         << "/Mar/2024:" << random.between(10, 23) << ":" << random.between(10, 59) << ":"
         << random.between(10, 59) << " +0000] \"" << (random.chance(4, 5) ? "GET" : "POST") << " /"
         << draw_word(random) << "/" << draw_word(random) << "?id=" << random.below(100000)
         << "&user=" << draw_word(random) << "@" << draw_word(random) << ".example HTTP/1.1\" "
         << (random.chance(9, 10) ? 200 : 404) << " " << random.below(50000) << " \"";
    append_words(text, random, random.between(3, 12));
    text << "\"";
    return {start, text.size() - start};
  }
};

// What the workloads look for; the group that a caller would take out is the first.
inline constexpr const char* kLogPatterns[] = {
    R"(^(\d+\.\d+\.\d+\.\d+) - (\w+))",
    R"re("(GET|POST) ([^ ?]+)\??([^ ]*) HTTP/1\.[01]")re",
    R"(([A-Za-z0-9._-]+)@([A-Za-z0-9.-]+)\.example)",
    R"((\d+)/(Jan|Feb|Mar)/(\d{4}):(\d+):(\d+))",
    R"re( (404) \d+ "([^"]*)"$)re",
    R"(\b(\w*pp\w*)\b)",
};

}  // namespace workloads

// The document that the json workloads read: a product catalogue with places and reviews, drawn
// from the seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "workloads/random.hpp"
#include "workloads/realistic/text.hpp"

namespace workloads {

inline constexpr std::string_view kCategories[] = {"kitchen", "office", "garden",
                                                   "sports",  "travel", "music"};

namespace json_document_detail {

inline void append_phrase(MappedText& text, Random& random, std::string_view key,
                          std::size_t words) {
  text << "\"" << key << "\": \"";
  append_words(text, random, words);
  text << "\"";
}

// A number with a fraction of six digits, as coordinates are written.
inline void append_coordinate(MappedText& text, Random& random, std::int64_t limit_degrees) {
  if (random.chance(1, 2)) {
    text << "-";
  }
  text << random.below(static_cast<std::uint64_t>(limit_degrees)) << "."
       << random.between(100000, 999999);
}

inline void append_reviews(MappedText& text, Random& random) {
  text << "\"reviews\": [";
  const std::size_t count = random.below(5);
  for (std::size_t i = 0; i < count; ++i) {
    text << (i > 0 ? ", " : "") << "{\"stars\": " << random.between(1, 5)
         << ", \"verified\": " << (random.chance(2, 3) ? "true" : "false") << ", ";
    append_phrase(text, random, "user", 1);
    text << ", ";
    append_phrase(text, random, "text", random.between(3, 30));
    text << "}";
  }
  text << "]";
}

inline void append_product(MappedText& text, Random& random, std::size_t id) {
  text << "  {\"id\": " << id << ", \"sku\": \"" << draw_word(random) << "-" << 100000 + id
       << "\", \"category\": \"" << kCategories[random.below(std::size(kCategories))] << "\", ";
  append_phrase(text, random, "title", random.between(2, 6));
  text << ", ";
  append_phrase(text, random, "description", random.between(10, 60));
  text << ", \"price\": " << random.between(1, 999) << "." << random.between(10, 99)
       << ", \"stock\": " << random.below(2000) << ", \"tags\": [";
  const std::size_t tags = random.between(1, 6);
  for (std::size_t i = 0; i < tags; ++i) {
    text << (i > 0 ? ", \"" : "\"") << draw_word(random) << "\"";
  }
  text << "], \"attributes\": {\"weight\": " << random.between(1, 9000)
       << ", \"fragile\": " << (random.chance(1, 4) ? "true" : "null") << ", ";
  append_phrase(text, random, "colour", 1);
  text << "}, \"store\": {\"type\": \"Point\", \"coordinates\": [";
  append_coordinate(text, random, 180);
  text << ", ";
  append_coordinate(text, random, 90);
  text << "]}, ";
  append_reviews(text, random);
  text << "}";
}

}  // namespace json_document_detail

// At least `size_bytes` of JSON: {"version": 3, "products": [...]}.
inline MappedText make_json_document(std::uint64_t seed, std::size_t size_bytes) {
  Random random(seed);
  MappedText text(size_bytes + (std::size_t{16} << 10));
  text << "{\"version\": 3, \"products\": [\n";
  for (std::size_t id = 1; text.size() < size_bytes || id == 1; ++id) {
    if (id > 1) {
      text << ",\n";
    }
    json_document_detail::append_product(text, random, id);
  }
  text << "\n]}\n";
  return text;
}

}  // namespace workloads

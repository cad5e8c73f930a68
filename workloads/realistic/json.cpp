// json: a document of about a megabyte, read into a tree of values, changed, digested into a new
// tree and written.
//
// Question: what does an allocator cost a program whose data are trees of small nodes and strings,
// built at once, walked, and torn down node by node?
//
// Origin: nlohmann-json, the usual C++ library for JSON: std::map nodes, std::vector arrays that
// grow, std::string.
//
// Parameters: the size of the document.
//
// Every thread reads the same text, and has trees of its own. All nodes are freed at the end of
// each iteration.
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/json_document.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

using Value = nlohmann::json;

// What a shop does to its catalogue overnight: new prices, a field more, long texts out.
void change(Value& catalogue) {
  for (Value& product : catalogue["products"]) {
    const auto stock = product["stock"].get<std::int64_t>();
    product["price"] = product["price"].get<double>() * 1.25;
    product["available"] = stock > 0;
    product["tags"].push_back(stock % 3 == 0 ? "sale" : "regular");
    if (stock % 4 == 0) {
      product.erase("description");
    }
    for (Value& review : product["reviews"]) {
      review["length"] = review["text"].size();
    }
  }
}

double mean_stars(const Value& reviews) {
  if (reviews.empty()) {
    return 0;
  }
  std::int64_t stars = 0;
  for (const Value& review : reviews) {
    stars += review.at("stars").get<std::int64_t>();
  }
  return static_cast<double>(stars) / static_cast<double>(reviews.size());
}

// A new tree out of the old one: by category and by first tag, what a page of search results needs.
Value summarise(const Value& catalogue) {
  Value summary = Value::object();
  for (const Value& product : catalogue.at("products")) {
    Value row = {{"id", product.at("id")},
                 {"title", product.at("title")},
                 {"price", product.at("price")},
                 {"stars", mean_stars(product.at("reviews"))}};
    Value& category = summary[product.at("category").get<std::string>()];
    category["products"].push_back(std::move(row));
    category["by tag"][product.at("tags").front().get<std::string>()].push_back(product.at("id"));
  }
  return summary;
}

class Json : public Workload {
 public:
  explicit Json(const Setup& setup)
      : text_(make_json_document(setup.seed(), static_cast<std::size_t>(setup["kib"]) << 10)) {}

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    digest.add(static_cast<std::uint64_t>(thread_index));
    Tally tally;
    while (steps.next()) {
      Value catalogue = Value::parse(text_.view());
      change(catalogue);
      const Value summary = summarise(catalogue);
      digest.add(catalogue.dump());
      digest.add(summary.dump(2));
      tally.operations += catalogue["products"].size();
    }
    tally.checksum = digest.value();
    return tally;
  }

 private:
  MappedText text_;
};

const Registration registration(
    {.name = "json",
     .question = "What do trees of small nodes and strings cost, built at once and torn down?",
     .origin = "nlohmann-json: a product catalogue parsed, changed, summarised and written",
     .operation = "a product of the catalogue",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"kib", 512, "KiB", "size of the document", 1, 1 << 20}},
     .smoke_iterations = 2,
     .profile = "a sawtooth, 3 MiB for 512 KiB of text; half of the blocks up to 47 bytes, strings "
                "and arrays to 500 KiB; lives of an iteration"},
    [](const Setup& setup) { return std::make_unique<Json>(setup); });

}  // namespace
}  // namespace workloads

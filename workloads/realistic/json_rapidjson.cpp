// json-rapidjson: the json workload's document and changes, with a library built to allocate
// little.
//
// Question: what is left for the allocator when a library carves its values out of chunks of 64
// KiB, and what comes back when it does not?
//
// Origin: RapidJSON, its default memory pool against its malloc allocator.
//
// Parameters: the size of the document; where values live.
//
// The pool asks malloc for a few large chunks a document and frees them together; `values=malloc`
// asks for each string, array and object, and frees them one by one.
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/json_document.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

// One iteration's work on one document; Allocator is RapidJSON's.
template <typename Allocator>
class Catalogue {
 public:
  explicit Catalogue(std::string_view text) {
    document_.Parse(text.data(), text.size());
    if (document_.HasParseError()) {
      throw std::runtime_error("json-rapidjson: cannot parse");
    }
  }

  // New prices, a field more, long texts out.
  void change() {
    auto& memory = document_.GetAllocator();
    for (Value& product : products().GetArray()) {
      const std::int64_t stock = product["stock"].GetInt64();
      product["price"].SetDouble(product["price"].GetDouble() * 1.25);
      product.AddMember("available", stock > 0, memory);
      product["tags"].PushBack(Value(stock % 3 == 0 ? "sale" : "regular", memory), memory);
      if (stock % 4 == 0) {
        product.RemoveMember("description");
      }
      for (Value& review : product["reviews"].GetArray()) {
        review.AddMember("length", review["text"].GetStringLength(), memory);
      }
    }
  }

  // A new document: rows of the products by category.
  void summarise(Digest& digest) const {
    Document summary(rapidjson::kObjectType);
    auto& memory = summary.GetAllocator();
    for (const Value& product : products().GetArray()) {
      Value row(rapidjson::kObjectType);
      row.AddMember("id", product["id"].GetInt64(), memory);
      row.AddMember("title", Value(product["title"], memory), memory);
      row.AddMember("price", product["price"].GetDouble(), memory);
      const Value& category = product["category"];
      if (!summary.HasMember(category)) {
        summary.AddMember(Value(category, memory), Value(rapidjson::kArrayType), memory);
      }
      summary[category].PushBack(row, memory);
    }
    write(summary, digest);
  }

  void write(Digest& digest) const { write(document_, digest); }
  [[nodiscard]] std::size_t size() const { return products().Size(); }

 private:
  using Document = rapidjson::GenericDocument<rapidjson::UTF8<>, Allocator>;
  using Value = typename Document::ValueType;

  static void write(const Document& document, Digest& digest) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    document.Accept(writer);
    digest.add(std::string_view(buffer.GetString(), buffer.GetSize()));
  }

  Value& products() { return document_["products"]; }
  const Value& products() const { return document_["products"]; }

  Document document_;
};

enum Values : std::int64_t { kPool, kMalloc };

class JsonRapidjson : public Workload {
 public:
  explicit JsonRapidjson(const Setup& setup)
      : values_(static_cast<Values>(setup["values"])),
        text_(make_json_document(setup.seed(), setup.count("kib") << 10)) {}

  Tally run(int thread_index, Steps& steps) override {
    return values_ == kPool ? run_with<rapidjson::MemoryPoolAllocator<>>(thread_index, steps)
                            : run_with<rapidjson::CrtAllocator>(thread_index, steps);
  }

 private:
  template <typename Allocator>
  Tally run_with(int thread_index, Steps& steps) {
    Digest digest;
    digest.add(static_cast<std::uint64_t>(thread_index));
    Tally tally;
    while (steps.next()) {
      Catalogue<Allocator> catalogue(text_.view());
      catalogue.change();
      catalogue.summarise(digest);
      catalogue.write(digest);
      tally.operations += catalogue.size();
    }
    tally.checksum = digest.value();
    return tally;
  }

  Values values_;
  MappedText text_;
};

const Registration registration(
    {.name = "json-rapidjson",
     .question = "What is left for malloc when a library carves its values out of chunks?",
     .origin = "RapidJSON: a product catalogue parsed, changed, summarised and written",
     .operation = "a product of the catalogue",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"kib", 512, "KiB", "size of the document", 1, 1 << 20},
                    {"values", kPool, "", "where values live", 0, 1, {"pool", "malloc"}}},
     .smoke_iterations = 2,
     .profile = "a sawtooth; pool: chunks of 64 KiB; malloc: half of the blocks up to 143 bytes; "
                "lives of an iteration"},
    [](const Setup& setup) { return std::make_unique<JsonRapidjson>(setup); });

}  // namespace
}  // namespace workloads

// xml: a document parsed to a tree, asked by XPath, changed and written.
//
// Question: what does an allocator cost a C library that makes a block of each node, attribute and
// text, interns names in a dictionary, and gathers node sets that grow?
//
// Origin: libxml2, its tree and its XPath engine, on a product feed.
//
// Parameters: the size of the document.
//
// Every thread reads the same text and has trees of its own; each iteration frees its tree. libxml2
// seeds the hash of its dictionary from the clock, so that the number of its allocations varies by
// a few from run to run.
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr const char* kQueries[] = {
    "/feed/product[price > 500]/title",
    "//product[@category='garden']/tag[1]",
    "//review[@stars='5' and contains(., 'copper')]",
    "//product[count(review) > 2]/@sku",
    "sum(//stock)",
    "string(//product[last()]/description)",
};

constexpr std::string_view kCategories[] = {"kitchen", "office", "garden", "sports"};

void append_element(MappedText& text, Random& random, std::string_view name, std::size_t words) {
  text << "  <" << name << ">";
  append_words(text, random, words);
  text << (random.chance(1, 8) ? " &amp; more</" : "</") << name << ">\n";
}

void append_product(MappedText& text, Random& random, std::size_t id) {
  text << "<product id=\"" << id << "\" sku=\"" << draw_word(random) << "-" << 100000 + id
       << "\" category=\"" << kCategories[random.below(std::size(kCategories))] << "\">\n";
  append_element(text, random, "title", random.between(2, 6));
  append_element(text, random, "description", random.between(10, 60));
  text << "  <price currency=\"EUR\">" << random.between(1, 999) << "." << random.between(10, 99)
       << "</price>\n  <stock>" << random.below(2000) << "</stock>\n";
  const std::size_t tags = random.between(1, 5);
  for (std::size_t i = 0; i < tags; ++i) {
    append_element(text, random, "tag", 1);
  }
  const std::size_t reviews = random.below(5);
  for (std::size_t i = 0; i < reviews; ++i) {
    text << "  <review stars=\"" << random.between(1, 5) << "\">";
    append_words(text, random, random.between(3, 30));
    text << "</review>\n";
  }
  text << "</product>\n";
}

MappedText make_feed(std::uint64_t seed, std::size_t size_bytes) {
  Random random(seed);
  MappedText text(size_bytes + (std::size_t{16} << 10));
  text << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed version=\"2\">\n";
  for (std::size_t id = 1; text.size() < size_bytes || id == 1; ++id) {
    append_product(text, random, id);
  }
  text << "</feed>\n";
  return text;
}

const xmlChar* xml(const char* text) { return reinterpret_cast<const xmlChar*>(text); }

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

struct FreeDocument {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
struct FreeContext {
  void operator()(xmlXPathContext* context) const { xmlXPathFreeContext(context); }
};
struct FreeObject {
  void operator()(xmlXPathObject* object) const { xmlXPathFreeObject(object); }
};
struct FreeText {
  void operator()(xmlChar* text) const { xmlFree(text); }
};
using Document = std::unique_ptr<xmlDoc, FreeDocument>;
using Context = std::unique_ptr<xmlXPathContext, FreeContext>;
using Object = std::unique_ptr<xmlXPathObject, FreeObject>;
using Text = std::unique_ptr<xmlChar, FreeText>;

Document parse(std::string_view text) {
  Document document(xmlReadMemory(text.data(), static_cast<int>(text.size()), "feed.xml", nullptr,
                                  XML_PARSE_NONET | XML_PARSE_NOBLANKS));
  if (!document) {
    throw std::runtime_error("xml: cannot parse the feed");
  }
  return document;
}

Object evaluate(xmlXPathContext* context, const char* query) {
  Object result(xmlXPathEvalExpression(xml(query), context));
  if (!result) {
    throw std::runtime_error("xml: cannot evaluate " + std::string(query));
  }
  return result;
}

void add_result(Digest& digest, xmlXPathObject& result) {
  if (result.type != XPATH_NODESET) {
    const Text text(xmlXPathCastToString(&result));
    digest.add(view(text.get()));
    return;
  }
  const int count = xmlXPathNodeSetGetLength(result.nodesetval);
  digest.add(static_cast<std::uint64_t>(count));
  for (int i = 0; i < count; ++i) {
    const Text text(xmlNodeGetContent(xmlXPathNodeSetItem(result.nodesetval, i)));
    digest.add(view(text.get()));
  }
}

void ask(xmlDoc* document, Digest& digest) {
  const Context context(xmlXPathNewContext(document));
  for (const char* query : kQueries) {
    add_result(digest, *evaluate(context.get(), query));
  }
}

// Marks each product, tells its number of children, and takes out every fourth description.
// Returns the number of products.
std::uint64_t change(xmlDoc* document) {
  const Context context(xmlXPathNewContext(document));
  const Object found = evaluate(context.get(), "/feed/product");
  const int count = xmlXPathNodeSetGetLength(found->nodesetval);
  for (int i = 0; i < count; ++i) {
    xmlNode* product = xmlXPathNodeSetItem(found->nodesetval, i);
    xmlSetProp(product, xml("checked"), xml(i % 2 == 0 ? "yes" : "no"));
    const std::string children = std::to_string(xmlChildElementCount(product));
    xmlNewTextChild(product, nullptr, xml("children"), xml(children.c_str()));
    xmlNode* description = xmlNextElementSibling(xmlFirstElementChild(product));
    if (i % 4 == 0) {
      xmlUnlinkNode(description);
      xmlFreeNode(description);
    }
  }
  return static_cast<std::uint64_t>(count);
}

void write(xmlDoc* document, Digest& digest) {
  xmlChar* bytes = nullptr;
  int size_bytes = 0;
  xmlDocDumpMemory(document, &bytes, &size_bytes);
  const Text text(bytes);
  digest.add({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size_bytes)});
}

class Xml : public Workload {
 public:
  explicit Xml(const Setup& setup) : text_(make_feed(setup.seed(), setup.count("kib") << 10)) {
    xmlInitParser();
  }

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    digest.add(static_cast<std::uint64_t>(thread_index));
    Tally tally;
    while (steps.next()) {
      const Document document = parse(text_.view());
      ask(document.get(), digest);
      tally.operations += change(document.get());
      write(document.get(), digest);
    }
    tally.checksum = digest.value();
    return tally;
  }

 private:
  MappedText text_;
};

const Registration registration(
    {.name = "xml",
     .question = "What does a tree cost that has a block for each node, attribute and text?",
     .origin = "libxml2: a product feed parsed, asked by XPath, changed and written",
     .operation = "a product of the feed",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"kib", 256, "KiB", "size of the document", 1, 1 << 20}},
     .smoke_iterations = 2,
     .profile = "a sawtooth, 2 MiB for 256 KiB of text; half of the blocks up to 79 bytes; lives "
                "of an iteration"},
    [](const Setup& setup) { return std::make_unique<Xml>(setup); });

}  // namespace
}  // namespace workloads

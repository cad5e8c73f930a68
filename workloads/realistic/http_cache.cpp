// http-cache: a server's request loop before a cache of rendered pages.
//
// Question: what does an allocator cost a server, where a request leaves dozens of short strings
// and a map of headers, while pages of a few KiB stay until the cache drops them, in an order that
// nobody allocated them in?
//
// Origin: the loop of every caching web server: parse, look up, render on a miss, answer; least
// recently used out.
//
// Parameters: bytes the cache may hold, pages that exist, whether threads share one cache.
//
// Requests are text drawn beforehand, popular pages more often. With `cache=own` each thread has a
// cache of its own; with `cache=shared` they share one under a lock, so that pages are freed by
// other threads than rendered them, and which thread renders a page depends on the scheduler.
// Answers, and so the checksum, do not.
#include <charconv>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kDrawnRequests = 4096;  // then they repeat
constexpr std::size_t kRequestsPerIteration = 100;

struct Request {
  std::string method;
  std::string path;
  std::map<std::string, std::string> query;
  std::vector<std::pair<std::string, std::string>> headers;

  [[nodiscard]] const std::string* header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) {
        return &value;
      }
    }
    return nullptr;
  }
};

// Takes what stands before `separator` off the front of `text`, and the separator with it.
std::string_view take(std::string_view& text, std::string_view separator) {
  const std::size_t at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + separator.size());
  return head;
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') {
      letter = static_cast<char>(letter - 'A' + 'a');
    }
  }
  return result;
}

Request parse(std::string_view text) {
  Request request;
  std::string_view line = take(text, "\r\n");
  request.method = take(line, " ");
  std::string_view target = take(line, " ");
  if (line != "HTTP/1.1") {
    throw std::runtime_error("http-cache: not a request");
  }
  request.path = take(target, "?");
  while (!target.empty()) {
    std::string_view value = take(target, "&");
    const std::string_view key = take(value, "=");
    request.query.emplace(key, value);
  }
  for (line = take(text, "\r\n"); !line.empty(); line = take(text, "\r\n")) {
    const std::string_view name = take(line, ": ");
    request.headers.emplace_back(lower_case(name), line);
  }
  return request;
}

// The page for a path: a pure function, some KiB of markup put together piece by piece.
std::string render(const std::string& path) {
  std::uint64_t number = 0;
  const std::size_t digits = path.rfind('/') + 1;
  std::from_chars(path.data() + digits, path.data() + path.size(), number);
  Random random(number);
  std::string page = "<html><head><title>" + path + "</title></head><body>\n";
  const std::size_t rows = random.between(4, 60);
  for (std::size_t row = 0; row < rows; ++row) {
    std::string cells;
    for (int cell = 0; cell < 4; ++cell) {
      cells += "<td>" + std::string(draw_word(random)) + " " + std::to_string(random.below(10000)) +
               "</td>";
    }
    page += "<tr id=\"r" + std::to_string(row) + "\">" + cells + "</tr>\n";
  }
  return page += "</body></html>\n";
}

using Page = std::shared_ptr<const std::string>;

// Pages by path, the least recently used dropped when they are too large together. Thread-safe.
class Cache {
 public:
  explicit Cache(std::size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  Page find(const std::string& path) {
    const std::lock_guard lock(mutex_);
    const auto found = by_path_.find(path);
    if (found == by_path_.end()) {
      return nullptr;
    }
    by_use_.splice(by_use_.begin(), by_use_, found->second);
    return found->second->page;
  }

  void insert(const std::string& path, Page page) {
    const std::lock_guard lock(mutex_);
    if (by_path_.contains(path)) {
      return;  // another thread was faster
    }
    held_bytes_ += page->size();
    by_use_.push_front({path, std::move(page)});
    by_path_.emplace(path, by_use_.begin());
    while (held_bytes_ > capacity_bytes_ && by_use_.size() > 1) {
      drop_oldest();
    }
  }

 private:
  struct Item {
    std::string path;
    Page page;
  };

  void drop_oldest() {
    held_bytes_ -= by_use_.back().page->size();
    by_path_.erase(by_use_.back().path);
    by_use_.pop_back();
  }

  std::size_t capacity_bytes_;
  std::mutex mutex_;
  // Guarded by mutex_; held_bytes_ is the sum of the pages' sizes.
  std::size_t held_bytes_ = 0;
  std::list<Item> by_use_;  // the most recently used first
  std::unordered_map<std::string, std::list<Item>::iterator> by_path_;
};

std::string answer(const Request& request, const std::string& page) {
  std::string response = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ";
  response += std::to_string(page.size());
  if (const std::string* cookie = request.header("cookie")) {
    response += "\r\nSet-Cookie: " + *cookie;
  }
  for (const auto& [key, value] : request.query) {
    response.append("\r\nX-").append(key).append(": ").append(value);
  }
  response += "\r\n\r\n";
  return response += page;
}

enum Sharing : std::int64_t { kOwn, kShared };

class HttpCache : public Workload {
 public:
  explicit HttpCache(const Setup& setup)
      : sharing_(static_cast<Sharing>(setup["cache"])),
        capacity_bytes_(setup.count("kib") << 10),
        requests_(kDrawnRequests) {
    Random random(setup.seed());
    for (TextRange& request : requests_) {
      request = draw_request(random, setup.count("pages"));
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    const std::shared_ptr<Cache> cache = enter();
    std::size_t next = static_cast<std::size_t>(thread_index) * (kDrawnRequests / 7);
    while (steps.next()) {
      for (std::uint64_t i = 0; i < kRequestsPerIteration; ++i) {
        const TextRange drawn = requests_[next++ % kDrawnRequests];
        serve(*cache, text_.view(drawn.start, drawn.size_bytes), digest);
      }
    }
    return {static_cast<std::uint64_t>(steps.total()) * kRequestsPerIteration, digest.value()};
  }

 private:
  TextRange draw_request(Random& random, std::size_t pages) {
    const std::size_t start = text_.size();
    const auto page = random.power_law(1, static_cast<double>(pages), 1.2);
    text_ << "GET /" << draw_word(random).substr(0, 1) << "/pages/" << page
          << "?session=" << random.next() << "&lang=" << (random.chance(1, 2) ? "en" : "fr")
          << " HTTP/1.1\r\n"
          << "Host: shop.example\r\nUser-Agent: ";
    append_words(text_, random, random.between(4, 12));
    text_ << "\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Language: en;q=0.8\r\n"
          << "Referer: https://shop.example/pages/" << random.below(pages) << "\r\n";
    if (random.chance(2, 3)) {
      text_ << "Cookie: id=" << random.next() << "; basket=" << random.next() << "\r\n";
    }
    text_ << "\r\n";
    return {start, text_.size() - start};
  }

  static void serve(Cache& cache, std::string_view text, Digest& digest) {
    const Request request = parse(text);
    Page page = cache.find(request.path);
    if (!page) {
      page = std::make_shared<const std::string>(render(request.path));
      cache.insert(request.path, page);
    }
    digest.add(answer(request, *page));
  }

  // This thread's cache; a shared one lives while any thread holds it.
  std::shared_ptr<Cache> enter() {
    if (sharing_ == kOwn) {
      return std::make_shared<Cache>(capacity_bytes_);
    }
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Cache> cache = shared_.lock();
    if (!cache) {
      shared_ = cache = std::make_shared<Cache>(capacity_bytes_);
    }
    return cache;
  }

  Sharing sharing_;
  std::size_t capacity_bytes_;
  MappedText text_;
  MappedArray<TextRange> requests_;
  std::mutex mutex_;
  std::weak_ptr<Cache> shared_;  // guarded by mutex_
};

const Registration registration(
    {.name = "http-cache",
     .question = "What does a request loop cost: short strings beside pages that stay a while?",
     .origin = "a caching web server: parse, look up, render, answer, least recently used out",
     .operation = "a request",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"kib", 4096, "KiB", "size of the cache", 1, 1 << 30},
                    {"pages", 4000, "pages", "pages that exist", 1, 100000000},
                    {"cache", kOwn, "", "of each thread, or of all", 0, 1, {"own", "shared"}}},
     .smoke_iterations = 20,
     .profile = "rises to the cache's size, then level; half of the blocks up to 47 bytes and of a "
                "request's life, pages of some KiB stay; remote frees with cache=shared only"},
    [](const Setup& setup) { return std::make_unique<HttpCache>(setup); });

}  // namespace
}  // namespace workloads

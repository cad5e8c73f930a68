#include "workloads/trace/analyse/import.hpp"

#include <charconv>
#include <unordered_map>
#include <vector>

#include "workloads/trace/format/address_tracker.hpp"
#include "workloads/trace/analyse/line_source.hpp"
#include "workloads/trace/format/writer.hpp"

namespace trace {
namespace {

// The words of a line, and numbers in hexadecimal with or without 0x.
class Words {
 public:
  Words(const LineSource& source, const std::string& line) : source_(source) {
    for (std::size_t at = line.find_first_not_of(' '); at != std::string::npos;) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      words_.push_back(line.substr(at, end - at));
      at = line.find_first_not_of(' ', end);
    }
  }
  [[nodiscard]] std::size_t size() const { return words_.size(); }
  [[nodiscard]] const std::string& operator[](std::size_t i) const {
    if (i >= words_.size()) {
      source_.fail("too short");
    }
    return words_[i];
  }
  [[nodiscard]] std::uint64_t number(std::size_t i) const {
    std::string_view text = (*this)[i];
    if (text.starts_with("0x")) {
      text.remove_prefix(2);
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc{} || end != text.data() + text.size()) {
      source_.fail("'" + (*this)[i] + "' is not a hexadecimal number");
    }
    return value;
  }

 private:
  const LineSource& source_;
  std::vector<std::string> words_;
};

// The size of an object; hostile ones are refused here, where the line is known.
std::uint64_t size_in(const LineSource& source, const Words& words, std::size_t i) {
  const std::uint64_t size = words.number(i);
  if (size > kMaxLiveBytes) {
    source.fail("a size of more than 2^47 bytes");
  }
  return size;
}

Event malloc_of(std::uint64_t size) {
  Event event;
  event.size = size;
  return event;
}

// "@ program:[place] + 0xaddress 0xsize", "... - 0xaddress"; a realloc is "< 0xold" and then ">
// 0xnew 0xsize"; one that failed is "! 0xold 0xsize". Place may hold blanks: words are counted from
// the end.
class MtraceImporter {
 public:
  explicit MtraceImporter(Writer& writer) : objects_(writer) {}

  void take(const LineSource& source, const Words& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i].size() == 1 && i > 0) {
        switch (words[i][0]) {
          case '+':
            return objects_.allocate(malloc_of(size_in(source, words, i + 2)), words.number(i + 1));
          case '-':
            return objects_.release(0, Kind::kFree, words.number(i + 1));
          case '<':
            old_ = objects_.begin_realloc(words.number(i + 1));
            return;
          case '>':
            objects_.end_realloc(0, old_, words.number(i + 1), size_in(source, words, i + 2));
            old_.reset();
            return;
          default:
            break;
        }
      }
    }
  }
  [[nodiscard]] const AddressTracker& objects() const { return objects_; }

 private:
  AddressTracker objects_;
  std::optional<AddressTracker::Object> old_;
};

// Records, one a line, numbers in hexadecimal: "v library format", "a size trace" (which
// allocations there are, numbered by appearance), "+ allocation", "- allocation", "c milliseconds".
// All others say where, which a trace does not keep.
class HeaptrackImporter {
 public:
  explicit HeaptrackImporter(Writer& writer, Imported& imported)
      : writer_(writer), imported_(imported) {}

  void take(const LineSource& source, const Words& words) {
    if (words.size() == 0 || words[0].size() != 1) {
      return;
    }
    switch (words[0][0]) {
      case 'v':
        return check_version(source, words);
      case 'a':
        if (allocations_.size() >= kMaxLiveObjects) {
          source.fail("more than 2^26 kinds of allocations");
        }
        allocations_.push_back({size_in(source, words, 1), {}});
        return;
      case 'c':
        writer_.set_time(std::min(words.number(1), kMostMs) * 1000);
        return;
      case '+': {
        Allocation& allocation = known(source, words);
        allocation.slots.push_back(writer_.malloc(0, allocation.size));
        return;
      }
      case '-': {
        Allocation& allocation = known(source, words);
        if (allocation.slots.empty()) {
          ++imported_.unknown;
          return;
        }
        writer_.release(0, Kind::kFree, allocation.slots.back());
        allocation.slots.pop_back();
        return;
      }
      default:
        return;
    }
  }

 private:
  static constexpr std::uint64_t kMostMs = (1ull << 46) / 1000;  // readers take no later times

  struct Allocation {
    std::uint64_t size;
    std::vector<std::uint32_t> slots;  // of those that are live, the last on top
  };

  static void check_version(const LineSource& source, const Words& words) {
    constexpr std::uint64_t kOldest = 1, kNewest = 3;
    const std::uint64_t version = words.size() > 2 ? words.number(2) : 0;
    if (version < kOldest || version > kNewest) {
      source.fail("version " + std::to_string(version) +
                  " of heaptrack's format; versions 1 to 3 can be read");
    }
  }
  Allocation& known(const LineSource& source, const Words& words) {
    const std::uint64_t index = words.number(1);
    if (index >= allocations_.size()) {
      source.fail("allocation " + words[1] +
                  " was not declared; is this file raw? heaptrack --record-only leaves such, "
                  "heaptrack_interpret makes them readable");
    }
    return allocations_[static_cast<std::size_t>(index)];
  }

  Writer& writer_;
  Imported& imported_;
  std::vector<Allocation> allocations_;
};

Writer::Options options_for(const std::string& format, const std::filesystem::path& file) {
  Writer::Options options;
  options.info = "program=" + file.filename().string() + "\nnote=imported from " + format + "\n";
  return options;
}

void import_mtrace(LineSource& source, std::optional<std::string> line, Writer& writer,
                   Imported& imported) {
  MtraceImporter importer(writer);
  for (; line; line = source.next()) {
    importer.take(source, Words(source, *line));
  }
  imported.unknown = importer.objects().unknown();
  imported.missed = importer.objects().missed();
}

void import_heaptrack(LineSource& source, std::optional<std::string> line, Writer& writer,
                      Imported& imported) {
  HeaptrackImporter importer(writer, imported);
  for (; line; line = source.next()) {
    importer.take(source, Words(source, *line));
  }
}

}  // namespace

namespace {

std::string format_of(const std::filesystem::path& file, const std::string& first_line) {
  if (first_line.starts_with("v ")) {
    return "heaptrack";
  }
  if (first_line.starts_with("= Start") || first_line.starts_with("@ ")) {
    return "mtrace";
  }
  throw TraceError(
      file.string() +
      ": neither an mtrace log (which begins with '= Start') nor a heaptrack file ('v ...')");
}

void import_lines(LineSource& source, const std::optional<std::string>& first,
                  const std::filesystem::path& file, const std::filesystem::path& out,
                  Imported& imported) {
  Writer writer(out, options_for(imported.format, file));
  if (imported.format == "heaptrack") {
    import_heaptrack(source, first, writer, imported);
  } else {
    import_mtrace(source, first, writer, imported);
  }
  imported.totals = writer.finish();
  if (imported.totals.events == 0) {
    throw TraceError(file.string() + ": no calls in it");
  }
}

}  // namespace

Imported import_file(const std::filesystem::path& file, const std::filesystem::path& out) {
  LineSource source(file);
  const std::optional<std::string> first = source.next();
  Imported imported;
  imported.format = format_of(file, first.value_or(""));
  try {
    import_lines(source, first, file, out, imported);
  } catch (const TraceError&) {
    std::error_code ignored;  // what went wrong before is what the user must know
    std::filesystem::remove(out, ignored);
    throw;
  }
  return imported;
}

std::string describe(const Imported& imported, const std::filesystem::path& out) {
  std::string text = out.string() + ": " + std::to_string(imported.totals.events) +
                     " events, from " + imported.format;
  if (imported.unknown > 0) {
    text += "; " + std::to_string(imported.unknown) + " frees without an allocation were left out";
  }
  if (imported.missed > 0) {
    text += "; " + std::to_string(imported.missed) + " frees that the log lacks were put in";
  }
  return text;
}

}  // namespace trace

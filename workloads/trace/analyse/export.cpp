#include "workloads/trace/analyse/export.hpp"

#include <cinttypes>
#include <cstdio>
#include <memory>
#include <vector>

namespace trace {

void export_csv(Reader& reader, const std::string& out) {
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdout) {
        std::fclose(file);
      }
    }
  };
  const std::unique_ptr<std::FILE, Close> file(out == "-" ? stdout : std::fopen(out.c_str(), "we"));
  if (file == nullptr) {
    throw TraceError(out + ": cannot create it");
  }
  std::fputs("event,time_us,thread,kind,object,size,count,alignment,slot\n", file.get());
  std::vector<std::uint64_t> objects;  // by slot
  std::uint64_t allocations = 0;
  for (std::uint64_t number = 1; const std::optional<Event> event = reader.next(); ++number) {
    std::uint64_t object = 0;
    if (allocates(event->kind) || has_slot(event->kind)) {
      if (event->slot >= objects.size()) {
        objects.resize(event->slot + std::size_t{1});
      }
      object =
          allocates(event->kind) ? (objects[event->slot] = ++allocations) : objects[event->slot];
    }
    const bool aligned = event->kind == Kind::kAlignedAlloc || event->kind == Kind::kPosixMemalign;
    std::fprintf(
        file.get(),
        "%" PRIu64 ",%" PRIu64 ",%u,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u\n",
        number, event->time_us, event->thread, to_string(event->kind), object, event->size,
        event->count, aligned ? std::uint64_t{1} << event->alignment_log2 : 0, event->slot);
  }
  if (std::fflush(file.get()) != 0) {
    throw TraceError(out + ": cannot write");
  }
}

}  // namespace trace

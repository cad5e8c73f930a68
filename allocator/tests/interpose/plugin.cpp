// A library that programs open at run time: it allocates in a constructor, in a thread-local object
// and on request, and its own calls of malloc and free are those that its binding gives it.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

const std::vector<std::string> made_at_load(100, std::string(200, 'p'));

struct PerThread {
  std::vector<char> bytes = std::vector<char>(5000, 'q');
};
thread_local PerThread per_thread;

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void* plugin_malloc(size_t size) {
  void* const block = malloc(size);
  if (block != nullptr) {
    memset(block, 'b', size);
  }
  return block;
}

__attribute__((visibility("default"))) void plugin_free(void* block) { free(block); }

__attribute__((visibility("default"))) size_t plugin_touch() {
  return per_thread.bytes.size() + made_at_load.size();
}
}

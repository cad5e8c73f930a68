// Replays a trace once, as bench-worker does, for trace_record_test.py, and prints how much its
// peak RSS grew, in KiB. Where trace_call_log.so is preloaded, it notes the calls of the replay
// alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "workloads/trace/replay.hpp"

namespace {

void call(const char* name) {
  if (auto* function = reinterpret_cast<void (*)()>(dlsym(RTLD_DEFAULT, name));
      function != nullptr) {
    function();
  }
}

long status_kib(const char* key) {
  char text[4096] = {};
  const int fd = open("/proc/self/status", O_RDONLY);
  const ssize_t bytes = read(fd, text, sizeof text - 1);
  close(fd);
  const char* line = bytes > 0 ? strstr(text, key) : nullptr;
  return line != nullptr ? strtol(line + strlen(key), nullptr, 10) : -1;
}

void reset_peak() {
  const int fd = open("/proc/self/clear_refs", O_WRONLY);
  if (fd < 0 || write(fd, "5", 1) != 1) {
    std::abort();
  }
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    trace::Replay replay(argc > 1 ? argv[1] : "", trace::Touch::kWhole, 512u << 20);
    reset_peak();
    const long before_kib = status_kib("VmRSS:");
    call("call_log_begin");
    replay.run(0, 1);
    call("call_log_end");
    std::printf("%ld\n", status_kib("VmHWM:") - before_kib);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

// Replays a trace, as bench-worker does, for trace_record_test.py: trace_replay_host TRACE [TURNS].
// Prints how much peak RSS grew, in KiB. Exit code 1 if a turn makes another number of calls than
// the trace has, or if the tags that it finds in the objects it frees are not those that it should.
// Where trace_call_log.so is preloaded, it notes the calls of the replay alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "workloads/trace/replay/replay.hpp"

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

// The sum of the tags that an object carries from its allocation to its free, taken from the
// operations themselves (Replay adds up what it reads in memory).
std::uint64_t expected_checksum(const trace::ReplayProgram& program) {
  std::uint64_t sum = 0;
  std::vector<trace::Op> buffer(trace::ReplayProgram::kMaxChunkOps);
  for (std::uint32_t thread = 0; thread < program.threads(); ++thread) {
    for (const trace::OpChunk& chunk : program.chunks(thread)) {
      const trace::Op* ops = program.load(chunk, buffer.data());
      for (std::uint32_t i = 0; i < chunk.count; ++i) {
        const bool frees =
            ops[i].kind() == trace::OpKind::kFree || ops[i].kind() == trace::OpKind::kFreeSized;
        sum += frees && ops[i].size() >= 4 ? ops[i].cell * 2654435761u + 1 : 0u;
      }
    }
  }
  return sum;
}

bool play(trace::Replay& replay, long turns, std::uint64_t checksum) {
  const std::uint64_t operations = replay.program().calls() + replay.program().left_over();
  for (long turn = 0; turn < turns; ++turn) {
    workloads::Steps once(1);
    const workloads::Tally tally = replay.run(0, once);
    if (tally.operations != operations || tally.checksum != checksum) {
      std::fprintf(stderr, "turn %ld: %lu operations with checksum %lx, expected %lu with %lx\n",
                   turn, tally.operations, tally.checksum, operations, checksum);
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    trace::Replay replay(argc > 1 ? argv[1] : "", trace::Touch::kWhole, 512u << 20);
    const std::uint64_t checksum = expected_checksum(replay.program());
    reset_peak();
    const long before_kib = status_kib("VmRSS:");
    call("call_log_begin");
    const bool kept = play(replay, argc > 2 ? strtol(argv[2], nullptr, 10) : 1, checksum);
    call("call_log_end");
    std::printf("%ld\n", status_kib("VmHWM:") - before_kib);
    return kept ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

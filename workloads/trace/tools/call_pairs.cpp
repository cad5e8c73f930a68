// Prints the nanoseconds of CPU time that one allocation call takes: `bench record` runs it with
// and without the recorder to say what recording costs on this machine. The objects are 16 to 240
// bytes, 64 of them live, and written.
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

double now_ns() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);  // other programs may run meanwhile
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace

int main() {
  constexpr unsigned kPairs = 1'000'000;
  constexpr unsigned kLive = 64;
  static char* live[kLive];
  const double start = now_ns();
  for (unsigned i = 0; i < kPairs; ++i) {
    char*& block = live[i % kLive];
    std::free(block);
    block = static_cast<char*>(std::malloc(16 + (i * 7 % 15) * 16));
    if (block == nullptr) {
      return 1;
    }
    *block = static_cast<char>(i);
  }
  std::printf("%.3f\n", (now_ns() - start) / (2.0 * kPairs));
  return 0;
}

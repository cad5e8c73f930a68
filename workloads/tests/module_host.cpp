// Loads workload modules as the worker does and runs each selection once on one thread.
// usage: workloads_module_host MODULE.so SELECTION ITERATIONS; prints "name operations checksum",
// or the error (exit 1).
#include <cstdio>
#include <cstdlib>

#include "workloads/registry.hpp"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: workloads_module_host MODULE.so SELECTION ITERATIONS\n", stderr);
    return 2;
  }
  try {
    workloads::load_module(argv[1]);
    const workloads::Selection selection = workloads::select(argv[2]);
    const workloads::Setup setup = selection.setup(1, 1);
    const auto workload = selection.entry.make(setup);
    workloads::Steps steps(std::strtoll(argv[3], nullptr, 10));
  const workloads::Tally tally = workload->run(0, steps);
    std::printf("%s %llu %llu\n", selection.name().c_str(),
                static_cast<unsigned long long>(tally.operations),
                static_cast<unsigned long long>(tally.checksum));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

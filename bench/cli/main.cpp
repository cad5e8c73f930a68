// bench: which memory allocator suits which work, and by how much. Errors of all commands are reported here, once.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "bench/allocators/registry.hpp"
#include "bench/cli/commands.hpp"
#include "bench/output/read_run.hpp"
#include "bench/plan/suite.hpp"
#include "bench/process/process.hpp"
#include "workloads/trace/format/format.hpp"

namespace {

int refuse(const std::exception& error) {
  std::fprintf(stderr, "bench: %s\n", error.what());
  return bench::cli::kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  bench::hold_standard_descriptors();
  try {
    if (std::error_code gone; std::filesystem::current_path(gone).empty() || gone) {
      throw bench::UsageError("the folder that this was started in is gone; cd to one that is there");
    }
    return bench::cli::dispatch({{argv + 1, argv + argc}, {}});
  } catch (const bench::UsageError& error) {
    return refuse(error);
  } catch (const bench::UnreadableRun& error) {
    return refuse(error);
  } catch (const allocators::UnusableAllocator& error) {
    return refuse(error);
  } catch (const trace::TraceError& error) {
    return refuse(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return bench::cli::kBroken;
  }
}

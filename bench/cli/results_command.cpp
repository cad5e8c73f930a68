// bench results: the seal of published runs.
#include <fmt/format.h>

#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/output/manifest.hpp"
#include "bench/output/read_run.hpp"
#include "bench/output/run_directory.hpp"

namespace bench::cli {
namespace {

using Folders = std::vector<std::string>;

int verify(const Folders& folders) {
  bool whole = true;
  for (const std::string& folder : folders) {
    const Inspection found = inspect_seal(folder);
    std::string text;
    for (const std::string& difference : found.differences) {
      text += fmt::format("{}: {}\n", folder, difference);
    }
    if (found.differences.empty()) {
      text += fmt::format("{}: {} files as they were sealed; manifest {}\n", folder, found.files, found.digest.substr(0, 16));
    }
    if (!found.unsealed.empty()) {
      text += fmt::format("{}: not under the seal: {}\n", folder, fmt::join(found.unsealed, ", "));
    }
    write_stdout(text);
    whole = whole && found.differences.empty();
  }
  return whole ? kAllMeasured : kGateFailed;
}

// Anew, after files were taken away or made again; a run that is not whole is refused.
int seal_again(const Folders& folders) {
  for (const std::string& folder : folders) {
    read_run(folder);
    seal(folder);
    write_stdout(fmt::format("{}: sealed\n", folder));
  }
  return kAllMeasured;
}

void add_action(CLI::App& command, Context& context, const char* name, const char* what, int (*action)(const Folders&)) {
  auto folders = std::make_shared<Folders>();
  CLI::App* added = command.add_subcommand(name, what);
  added->add_option("runs", *folders, "directories of runs")->required()->type_name("DIR");
  added->callback([folders, action, &context] { context.action = [folders, action] { return action(*folders); }; });
}

}  // namespace

void add_results(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("results", "Check whether the files of stored runs are as they were measured");
  command->require_subcommand(1);
  command->footer("Exit: 0 as sealed, 1 something differs, 2 usage.");
  add_action(*command, context, "verify", "Compare each file with the digest in manifest.json", verify);
  add_action(*command, context, "seal", "Write manifest.json anew, for instance after publishing took paths out", seal_again);
}

}  // namespace bench::cli

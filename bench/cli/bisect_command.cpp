// bench bisect: git bisect, driven by a gate of bench compare. Works in a worktree of its own, so the user's files stay as they are.
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "bench/cli/measure_words.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"
#include "bench/process/process.hpp"
#include "bench/run/scratch_folder.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kNoTimeoutS = 1e9;

struct BisectWords {
  std::string good;
  std::string bad;
  std::string build;
  std::string library;
  std::string gate = "peak_rss:5%,minor_faults:5%";
};

// What a shell command prints and how it ends; its stderr is ours.
struct Said {
  int code = 0;
  std::string text;
};

Said shell(const std::string& script, const std::vector<std::string>& arguments, const fs::path& scratch, Signals& signals) {
  Command command;
  command.words = {"/bin/sh", "-c", script, "bench-bisect"};
  command.words.insert(command.words.end(), arguments.begin(), arguments.end());
  command.environment = environment_with({}, {});
  command.stdout_file = scratch / "bisect.stdout";
  command.stderr_file = scratch / "bisect.stderr";
  command.timeout_s = kNoTimeoutS;
  const Finished finished = run_to_end(command, signals);
  std::ifstream in(command.stdout_file);
  Said said{finished.ending == Ending::kExited ? finished.code : 128, {std::istreambuf_iterator<char>(in), {}}};
  while (said.text.ends_with('\n')) {
    said.text.pop_back();
  }
  return said;
}

// A worktree of the repository in the working folder, gone with this object.
class Worktree {
 public:
  Worktree(const std::string& commit, fs::path scratch, Signals& signals) : scratch_(std::move(scratch)), signals_(signals) {
    if (shell("git worktree add --detach --quiet \"$1\" \"$2\"", {path().string(), commit}, scratch_, signals_).code != 0) {
      throw UsageError("git cannot check out " + commit + ": " + last_line(scratch_ / "bisect.stderr"));
    }
  }
  ~Worktree() { shell("git worktree remove --force \"$1\"", {path().string()}, scratch_, signals_); }
  Worktree(const Worktree&) = delete;
  Worktree& operator=(const Worktree&) = delete;

  [[nodiscard]] fs::path path() const { return scratch_ / "tree"; }

 private:
  fs::path scratch_;
  Signals& signals_;
};

std::string commit_named(const std::string& option, const std::string& name, const fs::path& scratch, Signals& signals) {
  const Said said = shell("git rev-parse --verify --quiet \"$1^{commit}\"", {name}, scratch, signals);
  if (said.code != 0) {
    throw UsageError(fmt::format("{}: '{}' is no commit of the repository in this folder", option, name));
  }
  return said.text;
}

// $1: the worktree, $2: command that builds, $3: the library in the tree, $4: where a copy goes.
constexpr const char* kBuild = "cd \"$1\" && { eval \"$2\"; } >&2 && cp \"$3\" \"$4\"";

// One step: 0 good, 1 bad, 125 cannot be judged. $1: command that builds, $2: the library, $3: that of the good commit; then the words of bench compare.
constexpr const char* kStep =
    "build=$1 library=$2 good=$3; shift 3\n"
    "{ eval \"$build\"; } >&2 || exit 125\n"
    "\"$@\" --allocator=\"good=$good\" --against=\"this=$PWD/$library\" >&2\n"
    "code=$?; echo \"bench: $(git log -1 --format='%h %s'): $([ $code = 0 ] && echo good || { [ $code = 1 ] && echo bad || echo 'not judged'; })\"\n"
    "[ $code -le 1 ] && exit $code; [ $code = 130 ] && exit 130; exit 125\n";

// The line of git that names the culprit: "<hash> is the first bad commit".
std::string first_bad(const std::string& text) {
  const auto at = text.find(" is the first bad commit");
  const auto begin = at == std::string::npos ? at : text.rfind('\n', at);
  return at == std::string::npos ? "" : text.substr(begin == std::string::npos ? 0 : begin + 1, at - (begin == std::string::npos ? 0 : begin + 1));
}

int bisect(const BisectWords& words, const std::vector<std::string>& others) {
  for (const std::string& word : others) {
    if (word.starts_with("--allocator") || word.starts_with("--against") || word.starts_with("--out") || !word.starts_with("--")) {
      throw UsageError(word + " cannot be given to bench bisect, which builds what it compares; other options are those of bench run");
    }
  }
  if (fs::path(words.library).is_absolute()) {
    throw UsageError("--library is a path in the tree, as the build leaves it: build/libmine.so");
  }
  Signals signals;
  const ScratchFolder scratch;
  const std::string good = commit_named("--good", words.good, scratch.path(), signals);
  const std::string bad = commit_named("--bad", words.bad, scratch.path(), signals);
  const Worktree tree(good, scratch.path(), signals);
  const fs::path library = scratch.path() / "good.so";
  const auto build_error = [&](const std::string& commit) {
    return UsageError(fmt::format("{} cannot be built, or leaves no {}: {}", commit, words.library, last_line(scratch.path() / "bisect.stderr")));
  };
  if (shell(kBuild, {tree.path().string(), words.build, words.library, library.string()}, scratch.path(), signals).code != 0) {
    throw build_error(words.good);
  }
  std::vector<std::string> step = {words.build, words.library, library.string(), find_layout().program.string(), "compare", "--gate=" + words.gate};
  step.insert(step.end(), others.begin(), others.end());
  std::vector<std::string> arguments = {tree.path().string(), good, bad, kStep};
  arguments.insert(arguments.end(), step.begin(), step.end());
  // The bad commit first: a gate that it passes would lead nowhere.
  const Said there = shell("cd \"$1\" && git checkout --quiet --detach \"$3\" && step=$4 && shift 4 && /bin/sh -c \"$step\" step \"$@\"", arguments, scratch.path(), signals);
  write_stdout(there.text.empty() ? "" : there.text + "\n");
  if (there.code != 1) {
    std::fprintf(stderr, "bench: %s %s: %s\n", words.bad.c_str(), there.code == 0 ? "passes the gate against the good commit, so there is nothing to look for"
                 : "could not be judged", last_line(scratch.path() / "bisect.stderr").c_str());
    return there.code == 130 || signals.interrupted() ? kInterrupted : kSomeFailed;
  }
  const Said found = shell("cd \"$1\" && git bisect start \"$3\" \"$2\" >/dev/null 2>&1; step=$4 && shift 4 && git bisect run /bin/sh -c \"$step\" step \"$@\"",
                           arguments, scratch.path(), signals);
  const std::string culprit = first_bad(found.text);
  if (culprit.empty()) {
    std::fprintf(stderr, "bench: no commit was found: %s\n", (found.text.empty() ? last_line(scratch.path() / "bisect.stderr") : last_line(scratch.path() / "bisect.stdout")).c_str());
    return signals.interrupted() ? kInterrupted : kSomeFailed;
  }
  const Said log = shell("git log -1 --format='%h %s (%an, %as)' \"$1\"", {culprit}, scratch.path(), signals);
  write_stdout(fmt::format("first bad commit: {}\n", log.text));
  return kAllMeasured;
}

}  // namespace

void add_bisect(CLI::App& app, Context& context) {
  auto words = std::make_shared<BisectWords>();
  CLI::App* command = app.add_subcommand("bisect", "Find the commit that made a library worse: git bisect, driven by a gate");
  command->add_option("--good", words->good, "a commit before it became worse")->required()->take_last()->type_name("COMMIT");
  command->add_option("--bad", words->bad, "a commit after")->required()->take_last()->type_name("COMMIT");
  command->add_option("--build", words->build, "shell command that builds the library, in a worktree of its own")->required()->take_last()->type_name("COMMAND");
  command->add_option("--library", words->library, "what it builds: a path in the tree")->required()->take_last()->type_name("PATH");
  command->add_option("--gate", words->gate, "as in bench compare; default peak_rss:5%,minor_faults:5%, which need no quiet machine")
      ->take_last()->type_name("METRIC:PERCENT[,..]");
  command->allow_extras();
  command->footer("Other options are those of bench run: --workload, --repetitions, --budget. Each commit is measured beside the good one.\n"
                  "Exit: 0 found, 2 usage, 3 not found or not to be judged, 130 interrupted.");
  command->callback([words, command, &context] {
    context.action = [words, others = command->remaining()] { return bisect(*words, others); };
  });
}

}  // namespace bench::cli

#include <algorithm>

#include "bench/allocators/nearest.hpp"
#include "bench/cli/commands.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"

namespace bench::cli {
namespace {

// Where the words for us end: at "--", which CLI11 would take for the start of positional arguments.
void split_at_dashes(Invocation& invocation) {
  const auto dashes = std::find(invocation.words.begin(), invocation.words.end(), "--");
  if (dashes != invocation.words.end()) {
    invocation.after_dashes.assign(dashes + 1, invocation.words.end());
  }
}

// The words before "--", with `run` put in where no command stands.
std::vector<std::string> words_for_parser(const Invocation& invocation) {
  std::vector<std::string> words(invocation.words.begin(),
                                 std::find(invocation.words.begin(), invocation.words.end(), "--"));
  const bool asks_about_bench = !words.empty() && (words[0] == "--help" || words[0] == "-h" || words[0] == "--version");
  if (!words.empty() && words[0].starts_with('-') && !asks_about_bench) {
    words.insert(words.begin(), "run");
  }
  return words;
}

// The first word, if it can only be meant as a command and is none.
void refuse_unknown_command(const CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty() || words[0].starts_with('-')) {
    return;
  }
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  if (std::find(names.begin(), names.end(), words[0]) == names.end()) {
    throw UsageError(allocators::unknown_name_message("command", words[0], names) + "; a program to measure stands after bench exec --");
  }
}

// What an option that nobody knows may have been meant to be.
std::string nearest_option(const CLI::App& app, const std::vector<std::string>& words) {
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands([&](const CLI::App* one) { return !words.empty() && one->get_name() == words[0]; })) {
    for (const CLI::Option* option : command->get_options()) {
      known.push_back(option->get_name());
    }
  }
  for (const auto& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (name.starts_with("--") && std::find(known.begin(), known.end(), name) == known.end()) {
      const auto close = allocators::nearest(name, known);
      return close.empty() ? "" : "; did you mean " + close.front() + "?";
    }
  }
  return "";
}

// An option without its value would take the next word for it.
void refuse_empty_values(const std::vector<std::string>& words) {
  for (const auto& word : words) {
    if (word.empty()) {
      throw UsageError("a word of the command is empty (\"\"): leave it out, or say what is meant; bench --help shows what can be given");
    }
    if (word.starts_with("--") && word.find('=') == word.size() - 1) {
      throw UsageError(word + " has no value; bench COMMAND --help shows what can be given");
    }
  }
}

}  // namespace

int dispatch(Invocation invocation) {
  split_at_dashes(invocation);
  Context context{std::move(invocation), nullptr};
  CLI::App app("Compares memory allocators: which suits which work, and by how much.", "bench");
  app.set_version_flag("--version", OSMEM_PROJECT_VERSION);
  app.require_subcommand(0, 1);
  app.footer("bench --allocator=osmem compares osmem with every production allocator installed here.\n"
             "bench COMMAND --help describes a command.");
  add_run(app, context);
  add_exec(app, context);
  add_list(app, context);
  add_doctor(app, context);
  add_record(app, context);
  add_replay(app, context);
  add_trace(app, context);
  add_report(app, context);
  add_compare(app, context);
  add_merge(app, context);
  add_results(app, context);
  add_verify(app, context);
  add_advise(app, context);
  add_bisect(app, context);
  add_help(app, context);

  auto words = words_for_parser(context.invocation);
  refuse_empty_values(words);
  refuse_unknown_command(app, words);
  const auto in_order = words;
  std::reverse(words.begin(), words.end());  // CLI11 takes the words last first
  try {
    app.parse(words);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);  // --help, --version
  } catch (const CLI::ExtrasError& error) {
    std::fprintf(stderr, "bench: %s%s; bench --help shows what can be given\n", error.what(), nearest_option(app, in_order).c_str());
    return kUsage;
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "bench: %s; bench --help shows what can be given\n", error.what());
    return kUsage;
  }
  if (!context.action) {
    std::fputs(app.help().c_str(), stderr);
    return kUsage;
  }
  return context.action();
}

}  // namespace bench::cli

// bench help: what stands in the option parser, as text, as a page of the manual, and as completions for shells.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include "bench/allocators/nearest.hpp"
#include "bench/cli/commands.hpp"
#include "bench/output/grid.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"

namespace bench::cli {
namespace {

constexpr std::size_t kWidth = 80;

// What no single command explains.
struct Topic {
  const char* name;
  const char* text;
};
constexpr Topic kTopics[] = {
    {"allocators",
     "An allocator is named as bench list allocators shows it, or by the path of a shared object that exports malloc. NAME=PATH gives it a name, "
     "and NAME=PATH,VARIABLE=VALUE a configuration of its own. Each process is started with the library in LD_PRELOAD, and proves that it is served by it."},
    {"verdicts",
     "+ better, - worse, = the same within the margin (--margin, 2 %), ? not decided. A difference is claimed if its interval excludes it being nothing, "
     "with a false discovery rate of 5 % over the table of each metric and that of each allocator; the same is claimed if it is shown to be less than the margin. Fewer than 5 blocks decide nothing."},
    {"exit-codes",
     "0: all was measured, a gate passed. 1: a gate failed. 2: what was typed, or a file that it names, cannot be used. 3: some cells failed, or a gate could "
     "not be judged in every cell. 4: the system refused something. 130: interrupted; what was measured is kept, and --resume goes on."},
    {"files",
     "A run leaves samples.csv (a row a figure), summary.csv, means.csv, environment.json, benchmark.json (for Google Benchmark's compare.py), report.md and "
     "manifest.json. bench report draws a run, bench compare compares two, bench results verify tells whether files are as they were measured."},
};

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string topics_text(const CLI::App& app) {
  std::string text = "bench help TOPIC, or bench COMMAND --help\n\ncommands\n";
  for (const CLI::App* command : commands_of(app)) {
    text += wrapped(fmt::format("{:<9} {}", command->get_name(), command->get_description()), 2, kWidth);
  }
  text += "\ntopics\n  metrics\n";
  for (const Topic& topic : kTopics) {
    text += fmt::format("  {}\n", topic.name);
  }
  return text;
}

int show_topic(const CLI::App& app, const std::string& name) {
  std::vector<std::string> known = {"metrics"};
  for (const CLI::App* command : commands_of(app)) {
    known.push_back(command->get_name());
    if (command->get_name() == name) {
      write_stdout(command->help());
      return kAllMeasured;
    }
  }
  for (const Topic& topic : kTopics) {
    known.emplace_back(topic.name);
    if (topic.name == name) {
      write_stdout(wrapped(topic.text, 0, kWidth));
      return kAllMeasured;
    }
  }
  if (name == "metrics") {
    return dispatch({{"list", "metrics"}, {}});
  }
  throw UsageError(allocators::unknown_name_message("topic", name, known));
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// Text in which nothing is taken for a command or an escape of troff.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool begins_line = out.empty() || out.back() == '\n';
    out += begins_line && (c == '.' || c == '\'') ? "\\&" : "";
    out += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  }
  return out;
}

std::string option_names(const CLI::Option& option) {
  return option.get_positional() ? option.get_name() : option.get_name(false, true);
}

std::string value_name(const CLI::Option& option) {
  return option.get_items_expected_max() == 0 ? "" : option.get_positional() ? "" : " " + option.get_type_name();
}

std::string man_page(const CLI::App& app) {
  std::string text = fmt::format(".TH BENCH 1 \"\" \"{}\" \"User Commands\"\n.SH NAME\nbench \\- {}\n.SH SYNOPSIS\n.B bench\n.I COMMAND\n[options]\n", OSMEM_PROJECT_VERSION,
                                 "compares memory allocators: which suits which work, and by how much");
  text += ".SH DESCRIPTION\nWithout a command, options are those of\n.BR \"bench run\" .\n";
  for (const CLI::App* command : commands_of(app)) {
    text += fmt::format(".SH \"BENCH {}\"\n{}.\n", upper(command->get_name()), roff(command->get_description()));
    for (const CLI::Option* option : command->get_options()) {
      text += fmt::format(".TP\n.BR {}\n{}\n", fmt::format("\"{}{}\"", roff(option_names(*option)), roff(value_name(*option))), roff(option->get_description()));
    }
    for (const CLI::App* inner : commands_of(*command)) {
      text += fmt::format(".TP\n.B {}\n{}\n", roff(inner->get_name()), roff(inner->get_description()));
    }
    text += command->get_footer().empty() ? "" : fmt::format(".PP\n{}\n", roff(command->get_footer()));
  }
  for (const Topic& topic : kTopics) {
    text += fmt::format(".SH \"{}\"\n{}\n", upper(topic.name), roff(topic.text));
  }
  return text;
}

// "--out --seed": long options of a command.
std::string long_options(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      text += (text.empty() ? "--" : " --") + name;
    }
  }
  return text;
}

std::string names_of(const CLI::App& app) {
  std::string text;
  for (const CLI::App* command : commands_of(app)) {
    text += (text.empty() ? "" : " ") + command->get_name();
  }
  return text;
}

// Words that may follow a command: its own commands, its options.
std::string words_after(const CLI::App& command) {
  const std::string inner = names_of(command);
  return inner + (inner.empty() ? "" : " ") + long_options(command);
}

std::string bash_completion(const CLI::App& app) {
  std::string cases;
  for (const CLI::App* command : commands_of(app)) {
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), words_after(*command));
  }
  return fmt::format("# bash completion for bench, made by bench help --completion=bash\n"
                     "_bench() {{\n"
                     "  local word=${{COMP_WORDS[COMP_CWORD]}} words\n"
                     "  if [ \"$COMP_CWORD\" = 1 ] && [[ $word != -* ]]; then\n"
                     "    COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n    return\n  fi\n"
                     "  case ${{COMP_WORDS[1]}} in\n{}    *) words=\"{}\" ;;\n  esac\n"
                     "  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                     "  else COMPREPLY=($(compgen -f -W \"${{words//--*/}}\" -- \"$word\")); fi\n"
                     "}}\n"
                     "complete -o filenames -F _bench bench\n",
                     names_of(app), cases, long_options(*app.get_subcommand("run")));
}

std::string zsh_completion(const CLI::App& app) {
  std::string commands;
  std::string cases;
  for (const CLI::App* command : commands_of(app)) {
    std::string description = command->get_description();
    std::erase(description, '\'');
    std::ranges::replace(description, ':', ',');
    commands += fmt::format("    '{}:{}'\n", command->get_name(), description);
    cases += fmt::format("    {}) compadd -- {} ;;\n", command->get_name(), words_after(*command));
  }
  return fmt::format("#compdef bench\n# made by bench help --completion=zsh\n"
                     "_bench() {{\n  local -a commands\n  commands=(\n{}  )\n"
                     "  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then _describe command commands; return; fi\n"
                     "  case $words[2] in\n{}    *) compadd -- {} ;;\n  esac\n  _files\n}}\n"
                     "compdef _bench bench\n",
                     commands, cases, long_options(*app.get_subcommand("run")));
}

std::string fish_word(std::string text) {
  for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2) {
    text.insert(at, "\\");
  }
  return "'" + text + "'";
}

std::string fish_completion(const CLI::App& app) {
  std::string text = "# fish completion for bench, made by bench help --completion=fish\n";
  for (const CLI::App* command : commands_of(app)) {
    text += fmt::format("complete -c bench -n __fish_use_subcommand -a {} -d {}\n", command->get_name(), fish_word(command->get_description()));
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        text += fmt::format("complete -c bench -n '__fish_seen_subcommand_from {}' -l {}{} -d {}\n", command->get_name(), name,
                            option->get_items_expected_max() > 0 ? " -r" : "", fish_word(option->get_description()));
      }
    }
  }
  return text;
}

struct HelpWords {
  std::string topic;
  std::string completion;
  bool man = false;
};

int help(const CLI::App& app, const HelpWords& words) {
  if ((words.man ? 1 : 0) + (words.completion.empty() ? 0 : 1) + (words.topic.empty() ? 0 : 1) > 1) {
    throw UsageError("bench help tells one thing at a time: a topic, --man, or --completion=SHELL");
  }
  if (words.man) {
    write_stdout(man_page(app));
  } else if (!words.completion.empty()) {
    write_stdout(words.completion == "bash" ? bash_completion(app) : words.completion == "zsh" ? zsh_completion(app) : fish_completion(app));
  } else if (words.topic.empty()) {
    write_stdout(topics_text(app));
  } else {
    return show_topic(app, words.topic);
  }
  return kAllMeasured;
}

}  // namespace

void add_help(CLI::App& app, Context& context) {
  auto words = std::make_shared<HelpWords>();
  CLI::App* command = app.add_subcommand("help", "Explain a command or a topic; write the manual page, or completions for a shell");
  command->add_option("topic", words->topic, "a command, or a topic of bench help")->type_name("TOPIC");
  command->add_flag("--man", words->man, "the page of the manual: bench help --man | man -l -");
  command->add_option("--completion", words->completion, "for bash, zsh or fish")->check(CLI::IsMember({"bash", "zsh", "fish"}))->take_last()->type_name("SHELL");
  command->callback([words, &app, &context] { context.action = [words, &app] { return help(app, *words); }; });
}

}  // namespace bench::cli

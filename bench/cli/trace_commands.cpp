// bench trace: looks at traces, checks them, makes them from other files.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/cells/layout.hpp"
#include "bench/plan/exec_program.hpp"
#include "bench/process/process.hpp"
#include "bench/run/run.hpp"
#include "bench/run/scratch_folder.hpp"
#include "bench/plan/suite.hpp"
#include "workloads/trace/analyse/export.hpp"
#include "workloads/trace/analyse/import.hpp"
#include "workloads/trace/analyse/profile.hpp"
#include "workloads/trace/analyse/synthesize.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

// Has scripts/trace_chart.py draw the profile. Debian's python3 first: matplotlib is a package of
// it.
void draw(const std::string& json, const fs::path& out) {
  const fs::path script = find_layout().share / "trace_chart.py";
  const ScratchFolder scratch;
  const fs::path data = scratch.path() / "profile.json";
  std::FILE* file = std::fopen(data.c_str(), "w");
  const bool written =
      file != nullptr && std::fwrite(json.data(), 1, json.size(), file) == json.size();
  if (file == nullptr || std::fclose(file) != 0 || !written) {
    throw std::runtime_error("cannot write " + data.string());
  }
  Command command;
  command.words = {fs::exists("/usr/bin/python3") ? "/usr/bin/python3" : find_executable("python3").string(), script.string(), data.string(),
                   "-o", out.string()};
  command.environment = environment_with({}, {});
  command.streams = Streams::kInherited;
  Signals signals;
  const Finished finished = run_to_end(command, signals);
  if (finished.ending != Ending::kExited || finished.code != 0) {
    throw std::runtime_error(out.string() + ": the chart was not drawn; it needs matplotlib: apt-get install python3-matplotlib");
  }
}

// What is written must not be what is read.
void refuse_same(const std::string& given, const std::string& out) {
  std::error_code none_there;
  if (fs::equivalent(given, out, none_there)) {
    throw UsageError("--out=" + out + " is the given file itself");
  }
}

// Before any work: a picture that nobody could write is a mistake in what was typed.
void refuse_unwritable_chart(const fs::path& chart) {
  if (const fs::path kind = chart.extension(); kind != ".svg" && kind != ".png" && kind != ".pdf") {
    throw UsageError("--chart=" + chart.string() + ": a picture ends in .svg, .png or .pdf");
  }
  const fs::path folder = chart.has_parent_path() ? chart.parent_path() : ".";
  if (access(folder.c_str(), W_OK) != 0) {
    throw UsageError("--chart=" + chart.string() + ": cannot write it: " + folder.string() + ": " + std::strerror(errno));
  }
}

struct InspectWords {
  std::vector<std::string> files;
  std::string format = "table";
  std::string chart;
};

int inspect(const InspectWords& words) {
  if (!words.chart.empty() && words.files.size() > 1) {
    throw UsageError("--chart draws one trace");
  }
  if (!words.chart.empty()) refuse_unwritable_chart(words.chart);
  int code = kAllMeasured;
  for (const auto& file : words.files) {
    trace::Reader reader{fs::path(file)};
    const trace::Profile profile = trace::make_profile(reader);
    const std::string name = fs::path(file).filename().string();
    write_stdout(words.format == "json" ? trace::to_json(profile, name)
                                        : trace::to_table(profile, name));
    if (!words.chart.empty()) {
      draw(trace::to_json(profile, name), words.chart);
    }
    if (!profile.truncated.empty()) {
      std::fprintf(stderr, "bench: warning: %s: %s; what can be read was\n", file.c_str(),
                   profile.truncated.c_str());
      code = kSomeFailed;
    }
  }
  return code;
}

// Every file is read to its end; exit code 1 if one is not sound.
int validate(const std::vector<std::string>& files) {
  int code = kAllMeasured;
  for (const auto& file : files) {
    try {
      trace::Reader reader{fs::path(file)};
      while (reader.next()) {
      }
      if (!reader.truncated().empty()) {
        throw trace::TraceError(file + ": " + reader.truncated());
      }
      write_stdout(fmt::format("{}: sound: {} events, {} thread{}\n", file, reader.totals().events,
                               reader.totals().threads, reader.totals().threads == 1 ? "" : "s"));
    } catch (const trace::TraceError& error) {
      std::fprintf(stderr, "bench: %s\n", error.what());
      code = kGateFailed;
    }
  }
  return code;
}

void add_inspect(CLI::App& parent, Context& context) {
  auto words = std::make_shared<InspectWords>();
  CLI::App* command = parent.add_subcommand("inspect", "Show what a trace asks of an allocator");
  command->add_option("file", words->files, "traces")->required();
  command->add_option("--format", words->format, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  command
      ->add_option("--chart", words->chart,
                   "draw live bytes over time and sizes by lifetimes, as .svg, .png or .pdf")
      ->type_name("FILE");
  command->callback([words, &context] { context.action = [words] { return inspect(*words); }; });
}

void add_validate(CLI::App& parent, Context& context) {
  auto files = std::make_shared<std::vector<std::string>>();
  CLI::App* command = parent.add_subcommand(
      "validate", "Check every record of traces; exit 1 if one is damaged or cut off");
  command->add_option("file", *files, "traces")->required();
  command->callback([files, &context] { context.action = [files] { return validate(*files); }; });
}

void add_import(CLI::App& parent, Context& context) {
  struct Words {
    std::string file, out;
  };
  auto words = std::make_shared<Words>();
  CLI::App* command =
      parent.add_subcommand("import", "Make a trace of a log of mtrace or a file of heaptrack");
  command
      ->add_option("file", words->file, "an mtrace log, or a heaptrack file (.gz, .zst or plain)")
      ->required();
  command->add_option("-o,--out", words->out, "the trace to write")->required()->type_name("FILE");
  command->callback([words, &context] {
    context.action = [words] {
      refuse_same(words->file, words->out);
      const trace::Imported imported = trace::import_file(words->file, words->out);
      std::fprintf(stderr, "%s\n", trace::describe(imported, words->out).c_str());
      return int{kAllMeasured};
    };
  });
}

void add_export(CLI::App& parent, Context& context) {
  struct Words {
    std::string file, csv;
  };
  auto words = std::make_shared<Words>();
  CLI::App* command = parent.add_subcommand("export", "Write the events of a trace as CSV");
  command->add_option("file", words->file, "a trace")->required();
  command->add_option("--csv", words->csv, "the file to write; - (default): stdout")
      ->type_name("FILE")
      ->expected(0, 1);
  command->callback([words, &context] {
    context.action = [words] {
      trace::Reader reader{fs::path(words->file)};
      trace::export_csv(reader, words->csv.empty() ? "-" : words->csv);
      if (!reader.truncated().empty()) {
        std::fprintf(stderr, "bench: warning: %s: %s; what can be read was\n", words->file.c_str(), reader.truncated().c_str());
      }
      return reader.truncated().empty() ? int{kAllMeasured} : int{kSomeFailed};
    };
  });
}

void add_synthesize(CLI::App& parent, Context& context) {
  struct Words {
    std::string file, out;
    trace::SynthesizeOptions options;
  };
  auto words = std::make_shared<Words>();
  CLI::App* command =
      parent.add_subcommand("synthesize", "Make a trace of any length that is like a given one");
  command->add_option("file", words->file, "the trace to take sizes, lifetimes and rates from")
      ->required();
  command->add_option("-o,--out", words->out, "the trace to write")->required()->type_name("FILE");
  command
      ->add_option("--events", words->options.events, "how many; default: as many as the trace has")
      ->check(CLI::Range(1.0, 1e12))
      ->type_name("N");
  command->add_option("--seed", words->options.seed, "of the random choices; default 1")
      ->type_name("N");
  command->callback([words, &context] {
    context.action = [words] {
      refuse_same(words->file, words->out);
      const trace::Synthesis synthesis = trace::synthesize(words->file, words->out, words->options);
      write_stdout(trace::describe(synthesis, words->out));
      return int{kAllMeasured};
    };
  });
}

}  // namespace

void add_trace(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("trace", "Look at traces, check them, import and make them");
  command->require_subcommand(1);
  add_inspect(*command, context);
  add_validate(*command, context);
  add_import(*command, context);
  add_export(*command, context);
  add_synthesize(*command, context);
}

}  // namespace bench::cli

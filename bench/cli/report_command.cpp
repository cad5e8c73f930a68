// bench report: one page that shows stored runs, or how figures went from run to run.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <sstream>

#include "bench/cells/layout.hpp"
#include "bench/cli/measure_words.hpp"
#include "bench/output/history.hpp"
#include "bench/output/manifest.hpp"
#include "bench/output/page.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

struct ReportWords {
  std::vector<std::string> folders;
  std::string history;
  std::string out;
};

std::string page_template(const char* name) {
  const fs::path file = find_layout().share / "report" / name;
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in.is_open() || text.str().empty()) {
    throw UsageError(file.string() + " is missing: run scripts/setup.sh, which installs what the page is made of, then build again");
  }
  return text.str();
}

void write_one_file(const std::string& file, const std::string& page) {
  write_whole_file(file, page, "choose another file");
  write_stdout(fmt::format("{} ({} KiB)\n", file, (page.size() + 1023) / 1024));
}

int write_history(const ReportWords& words) {
  const History history = read_history(words.history);
  const std::string page = render_page(page_template("history.html"), history_data(history));
  for (const LeftOut& each : history.left_out) {
    write_stdout(fmt::format("left out: {}\n", each.why));
  }
  write_one_file(!words.out.empty() ? words.out : (fs::path(words.history) / "history.html").string(), page);
  return kAllMeasured;
}

int write_report(const ReportWords& words) {
  if (!words.history.empty()) {
    if (!words.folders.empty()) {
      throw UsageError("--history takes the runs in a directory: " + words.folders[0] + " has no use here");
    }
    return write_history(words);
  }
  if (words.folders.empty()) {
    throw UsageError("give the directory of a run, or --history with a directory of such");
  }
  write_page(words.folders, !words.out.empty() ? words.out : (fs::path(words.folders[0]) / "report.html").string());
  return kAllMeasured;
}

}  // namespace

namespace {

std::string page_of(const std::vector<std::string>& folders) {
  std::vector<PageRun> runs;
  for (const std::string& folder : folders) {
    StoredRun run = read_run(folder);
    runs.push_back({std::move(run), read_timelines(folder), read_histograms(folder)});
  }
  return render_page(page_template("report.html"), page_data(runs));
}

// Whether the page is made within half a second: each candidate's view costs a digest of all samples, each row of a histogram its reading.
bool is_soon_made(const fs::path& folder, const Report& report) {
  constexpr std::size_t kMostDigested = 40'000;
  constexpr std::uintmax_t kMostBytesOfTimes = 2 << 20;
  std::error_code error;
  const auto times = fs::file_size(folder / "latency.csv", error);
  return report.samples.size() * candidates(report.facts).size() <= kMostDigested && (error || times <= kMostBytesOfTimes);
}

}  // namespace

void write_page(const std::vector<std::string>& folders, const std::string& file) { write_one_file(file, page_of(folders)); }

std::string offer_page(const fs::path& folder, const Report& report) {
  const std::string command = "bench report " + shell_quoted(folder.string());
  if (!is_soon_made(folder, report)) {
    return "its charts as a page: " + command;
  }
  try {
    const fs::path file = folder / "report.html";
    write_whole_file(file, page_of({folder.string()}));
    if (is_sealed(folder)) {
      seal(folder);  // with the page
    }
    return "its charts as a page: " + file.string();
  } catch (const std::exception& error) {  // the run itself is whole
    return fmt::format("no page of its charts ({}); then: {}", error.what(), command);
  }
}

void add_report(CLI::App& app, Context& context) {
  auto words = std::make_shared<ReportWords>();
  CLI::App* command = app.add_subcommand("report", "Write a page that shows stored runs: one HTML file that needs no network");
  command->add_option("runs", words->folders, "directories of runs, as bench left them")->type_name("DIR");
  command->add_option("--history", words->history, "instead: the runs in this directory by date, each metric with its change points")
      ->take_last()->type_name("DIR");
  command->add_option("-o,--output", words->out, "default: report.html in the first directory, or history.html in that of --history")->take_last()->type_name("FILE");
  command->callback([words, &context] { context.action = [words] { return write_report(*words); }; });
}

}  // namespace bench::cli

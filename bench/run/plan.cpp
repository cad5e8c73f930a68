#include "bench/run/plan.hpp"

#include <fnmatch.h>
#include <sched.h>

#include <algorithm>
#include <set>

#include "bench/allocators/nearest.hpp"
#include "bench/cells/count_cell.hpp"
#include "bench/cells/latency_cell.hpp"
#include "bench/cells/program_cell.hpp"
#include "bench/cells/server_cell.hpp"
#include "bench/cells/worker_cell.hpp"
#include "bench/measure/instructions.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr double kProgramTimeoutS = 300;
constexpr int kProgramRepetitions = 5;

bool contains(const std::vector<allocators::Candidate>& list, const std::string& name) {
  return std::any_of(list.begin(), list.end(), [&](const auto& candidate) { return candidate.name == name; });
}

void add_all(std::vector<allocators::Candidate>& into, const std::vector<allocators::Candidate>& from) {
  for (const auto& candidate : from) {
    if (!contains(into, candidate.name)) {
      into.push_back(candidate);
    }
  }
}

std::string base_name(const std::string& workload) { return workload.substr(0, workload.find(':')); }

bool is_glob(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }

// A file that is, or holds, workloads: a shared object, or a trace.
bool is_module(const std::string& text) { return text.ends_with(".so") || text.ends_with(".trace"); }

// An item of --workload that names such a file, with parameters or without: "./app.trace:touch=none".
struct FileItem {
  std::string file;        // empty: it names no file
  std::string parameters;  // with the colon
};
FileItem file_item(const std::string& text) {
  const auto colon = std::min(text.find(':'), text.size());
  return is_module(text.substr(0, colon)) ? FileItem{text.substr(0, colon), text.substr(colon)} : FileItem{};
}

bool matches(const std::string& pattern, const std::string& workload) {
  return fnmatch(pattern.c_str(), workload.c_str(), 0) == 0 || fnmatch(pattern.c_str(), base_name(workload).c_str(), 0) == 0;
}

// Suite lines with globs written out: one line a workload.
std::vector<SuiteLine> expand_globs(const std::vector<SuiteLine>& lines, const std::vector<std::string>& known) {
  std::vector<SuiteLine> out;
  std::set<std::string> present;
  for (const auto& line : lines) {
    for (const auto& name : known) {
      if (is_glob(line.workload) && matches(line.workload, name) && present.insert(name).second) {
        out.push_back(line);
        out.back().workload = name;
      }
    }
    if (!is_glob(line.workload) && present.insert(line.workload).second) {
      out.push_back(line);
    }
  }
  return out;
}

// The suite's line for that workload's name as a model for its threads and times; an empty line if it has none.
SuiteLine line_like(const std::vector<SuiteLine>& suite, const std::string& workload) {
  for (const auto& line : suite) {
    if (base_name(line.workload) == base_name(workload)) {
      SuiteLine like = line;
      like.workload = workload;
      return like;
    }
  }
  SuiteLine line;
  line.workload = workload;
  return line;
}

// The lines that one item of --workload stands for: those of the suite first, else of all known workloads.
std::vector<SuiteLine> lines_for(const std::string& wanted, const std::vector<SuiteLine>& suite,
                                 const std::vector<std::string>& known) {
  std::vector<SuiteLine> out;
  if (wanted.find(':') != std::string::npos) {
    return {line_like(suite, wanted)};
  }
  for (const auto& line : suite) {
    if (matches(wanted, line.workload)) {
      out.push_back(line);
    }
  }
  for (const auto& name : known) {
    if (out.empty() && !is_glob(wanted) && name == wanted) {
      out.push_back(line_like(suite, name));
    }
  }
  for (const auto& name : known) {
    if (is_glob(wanted) && matches(wanted, name) &&
        std::none_of(out.begin(), out.end(), [&](const auto& line) { return base_name(line.workload) == name; })) {
      out.push_back(line_like(suite, name));
    }
  }
  return out;
}

// Which workloads run, and how: the suite's lines, narrowed or extended by --workload.
class Selection {
 public:
  Selection(const RunOptions& options, const Suite& suite, const Catalogue& catalogue, const Layout& layout)
      : options_(options), catalogue_(catalogue), programs_(ready_programs(layout.share / "programs")),
        known_(all_names(catalogue, programs_)), missing_(missing_workloads(layout)),
        suite_lines_(expand_globs(suite.lines, known_)) {}

  [[nodiscard]] const Program* program(const std::string& name) const {
    const auto found = std::find_if(programs_.begin(), programs_.end(), [&](const Program& p) { return p.name == name; });
    return found == programs_.end() ? nullptr : &*found;
  }

  [[nodiscard]] std::vector<SuiteLine> lines(std::vector<Warning>& warnings) const {
    if (options_.workloads.empty()) {
      return built_lines(warnings);
    }
    std::vector<SuiteLine> out;
    for (const auto& wanted : options_.workloads) {
      for (auto& line : lines_of_item(wanted)) {
        out.push_back(std::move(line));
      }
    }
    return without_missing_programs(out, warnings);
  }

 private:
  static std::vector<std::string> all_names(const Catalogue& catalogue, const std::vector<Program>& programs) {
    auto names = catalogue.names();
    for (const auto& program : programs) {
      names.push_back(program.name);
    }
    return names;
  }

  std::vector<SuiteLine> without_missing_programs(const std::vector<SuiteLine>& lines, std::vector<Warning>& warnings) const {
    std::vector<SuiteLine> out;
    for (const auto& line : lines) {
      const Program* entry = program(line.workload);
      const auto missing = entry != nullptr ? missing_need(*entry) : std::nullopt;
      if (missing) {
        warnings.push_back({line.workload + " is left out: " + *missing + " is not installed", "run: apt-get install " + entry->package});
      } else {
        out.push_back(line);
      }
    }
    return out;
  }

  [[nodiscard]] std::vector<SuiteLine> lines_of_item(const std::string& wanted) const {
    if (const auto item = file_item(wanted); !item.file.empty()) {
      std::vector<SuiteLine> out;
      for (const auto& name : catalogue_.names_in(fs::absolute(item.file))) {
        out.push_back(line_like(suite_lines_, name + item.parameters));
      }
      return out;
    }
    if (const auto* package = missing_package(wanted)) {
      throw UsageError("workload '" + wanted + "' was not built: its library is missing; run: apt-get install " + *package +
                       ", then build again");
    }
    if (wanted.ends_with(".cpp") || wanted.ends_with(".cc")) {
      throw UsageError(wanted + " is source: build it first, g++ -std=c++20 -O2 -shared -fPIC " + wanted +
                       " -o mine.so with the -I of workloads/README.md, and give the path of that");
    }
    auto out = lines_for(wanted, suite_lines_, known_);
    if (out.empty()) {
      throw UsageError(allocators::unknown_name_message("workload", wanted, known_));
    }
    return out;
  }

  const std::string* missing_package(const std::string& workload) const {
    for (const auto& missing : missing_) {
      if (missing.name == base_name(workload)) {
        return &missing.package;
      }
    }
    return nullptr;
  }

  // The suite without what could not be built, with a warning for each of these.
  std::vector<SuiteLine> built_lines(std::vector<Warning>& warnings) const {
    std::vector<SuiteLine> out;
    for (const auto& line : suite_lines_) {
      if (const auto* package = missing_package(line.workload)) {
        warnings.push_back({"workload " + line.workload + " is left out: it was not built",
                            "run: apt-get install " + *package + ", then build again"});
      } else {
        out.push_back(line);
      }
    }
    return without_missing_programs(out, warnings);
  }

  const RunOptions& options_;
  const Catalogue& catalogue_;
  const std::vector<Program> programs_;
  const std::vector<std::string> known_;
  const std::vector<MissingWorkload> missing_;
  const std::vector<SuiteLine> suite_lines_;
};

WorkerCellOptions cell_options(const RunOptions& options, const Suite& suite, const SuiteLine& line,
                               const allocators::Registry& registry) {
  WorkerCellOptions out;
  out.min_time_s = options.min_time_s.value_or(line.min_time_s.value_or(suite.min_time_s));
  out.timeout_s = options.timeout_s.value_or(suite.timeout_s);
  out.iterations = options.min_time_s ? std::nullopt : line.iterations;
  out.seed = options.seed;
  out.memory_blocks = line.memory || suite.memory_everywhere ? suite.memory_blocks : 0;
  out.drain_s = suite.drain_s;
  for (const auto& known : registry.known()) {
    if (const auto library = registry.find(known); known.name == "live-bytes" && library) {
      out.counter = allocators::Candidate{known.name, *library, {}};
    }
  }
  return out;
}

// Cells of workloads, a line at a time.
class CellMaker {
 public:
  CellMaker(Plan& plan, const RunOptions& options, const Suite& suite, const allocators::Registry& registry)
      : plan_(plan), options_(options), suite_(suite), registry_(registry) {}

  void add_worker(const SuiteLine& line, const ResolvedWorkload& workload) {
    const auto& wanted = !options_.threads.empty() ? options_.threads : !line.threads.empty() ? line.threads : suite_.threads;
    for (const int threads : thread_counts(wanted, workload.any_threads)) {
      if (present_.emplace(workload.name, threads).second) {
        plan_.cells.push_back(make_cell(workload, threads, cell_options(options_, suite_, line, registry_)));
        if (workload.is_server) {
          plan_.needs.push_back({plan_.cells.back()->label(), workload.name, mebibytes_of(workload) << 20, seconds_of(workload)});
        }
      }
    }
  }

  void add_program(const Program& program) {
    if (options_.measure != Measure::kSpeedAndMemory) {
      plan_.warnings.push_back({program.name + " is left out: calls are timed and instructions counted of workloads and traces only",
                                "record it: bench record -o app.trace -- PROGRAM, then bench replay app.trace --measure=latency"});
      return;
    }
    if (present_.emplace(program.name, 1).second) {
      const double timeout_s = options_.timeout_s.value_or(kProgramTimeoutS);
      plan_.cells.push_back(std::make_unique<ProgramCell>(program, timeout_s));
    }
  }

 private:
  static std::uint64_t mebibytes_of(const ResolvedWorkload& workload) { return workload.parameters.value("megabytes", std::uint64_t{0}); }
  static double seconds_of(const ResolvedWorkload& workload) {
    const bool is_paced = workload.parameters.value("pace", 0) == 0;
    return (is_paced ? workload.parameters.value("seconds", 0.0) : 0) + workload.parameters.value("idle", 0.0) / 1000;
  }

  [[nodiscard]] std::unique_ptr<Cell> make_cell(const ResolvedWorkload& workload, int threads, WorkerCellOptions cell) const {
    if (workload.is_server && !cell.iterations) {
      cell.iterations = 1;  // its work is fixed, and lasts
    }
    if (options_.measure == Measure::kLatency) {
      return std::make_unique<LatencyCell>(workload.name, threads, workload.kind, std::move(cell));
    }
    if (options_.measure != Measure::kSpeedAndMemory) {
      cell.iterations = workload.smoke_iterations;  // small, and the same wherever it runs
      const auto by = options_.measure == Measure::kInstructions ? CountCell::By::kCallgrind : CountCell::By::kCpu;
      return std::make_unique<CountCell>(workload.name, threads, workload.kind, std::move(cell), by);
    }
    if (workload.is_server) {
      return std::make_unique<ServerCell>(workload.name, threads, workload.kind, std::move(cell));
    }
    return std::make_unique<WorkerCell>(workload.name, threads, workload.kind, std::move(cell));
  }

  Plan& plan_;
  const RunOptions& options_;
  const Suite& suite_;
  const allocators::Registry& registry_;
  std::set<std::pair<std::string, int>> present_;
};

void warn_of_threads(Plan& plan) {
  const int cpus = usable_cpus();
  const bool crowded = std::any_of(plan.cells.begin(), plan.cells.end(), [&](const auto& cell) { return cell->threads() > cpus; });
  if (crowded) {
    plan.warnings.push_back({"some cells have more threads than the " + std::to_string(cpus) + " CPUs: the scheduler is measured, too",
                             "read them apart from the others, or lower --threads"});
  }
}

}  // namespace

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

std::vector<int> thread_counts(const std::vector<int>& wanted, bool any_threads) {
  if (!any_threads) {
    return {1};
  }
  std::vector<int> out;
  for (const int threads : wanted) {
    if (std::find(out.begin(), out.end(), threads) == out.end()) {
      out.push_back(threads);
    }
  }
  return out;
}

std::vector<std::string> split_workloads(const std::string& list) {
  std::vector<std::string> out;
  for (const auto& piece : split_list(list)) {
    const bool parameter = piece.find('=') != std::string::npos && piece.find(':') == std::string::npos;
    if (parameter && !out.empty() && out.back().find(':') != std::string::npos) {
      out.back() += "," + piece;
    } else {
      out.push_back(piece);
    }
  }
  return out;
}

Field make_field(const RunOptions& options, const allocators::Registry& registry, bool with_floor) {
  const auto subjects = registry.parse(options.allocators);
  std::vector<allocators::Candidate> others;
  if (options.against) {
    others = options.against->empty() ? others : registry.parse(*options.against);
  } else {
    others = registry.installed(allocators::Role::kProduction);
    if (with_floor) {
      add_all(others, registry.installed(allocators::Role::kFloor));
    }
  }
  if (!options.baseline.empty() && !contains(subjects, options.baseline) && !contains(others, options.baseline)) {
    add_all(others, registry.parse(options.baseline));
  }
  std::string baseline = options.baseline;
  if (baseline.empty()) {
    const bool glibc = contains(subjects, "glibc") || contains(others, "glibc");
    baseline = glibc ? "glibc" : !others.empty() ? others.front().name : subjects.front().name;
  }
  Field field;
  add_all(field.allocators, subjects);
  add_all(field.allocators, others);
  const auto found = std::find_if(field.allocators.begin(), field.allocators.end(), [&](const auto& candidate) {
    return candidate.name == baseline;
  });
  std::rotate(field.allocators.begin(), found, found + 1);
  return field;
}

namespace {

// Paths among the workloads are modules of the user's.
std::vector<fs::path> modules_of(const RunOptions& options) {
  std::vector<fs::path> modules;
  for (const auto& workload : options.workloads) {
    if (const auto item = file_item(workload); !item.file.empty()) {
      if (!fs::exists(item.file)) {
        throw UsageError("there is no file " + item.file + "; give the path of a shared object or of a trace");
      }
      modules.push_back(fs::absolute(item.file));
    }
  }
  return modules;
}

void add_cells(Plan& plan, const RunOptions& options, const Suite& suite, const allocators::Registry& registry, Launcher& launcher) {
  launcher.set_modules(modules_of(options));
  const Catalogue catalogue(launcher);
  for (const auto& failure : catalogue.failures()) {
    plan.warnings.push_back({failure, "build the project again"});
  }
  const Selection selection(options, suite, catalogue, launcher.layout());
  const auto lines = selection.lines(plan.warnings);
  std::vector<std::string> texts;
  for (const auto& line : lines) {
    if (selection.program(line.workload) == nullptr) {
      texts.push_back(line.workload);
    }
  }
  const auto resolved = catalogue.resolve(launcher, texts);
  CellMaker maker(plan, options, suite, registry);
  auto next = resolved.begin();
  for (const auto& line : lines) {
    if (const Program* program = selection.program(line.workload)) {
      maker.add_program(*program);
    } else {
      maker.add_worker(line, *next++);
    }
  }
  if (plan.cells.empty()) {
    throw UsageError("nothing of what was asked for can run here" + (plan.warnings.empty() ? "" : ": " + plan.warnings.front().what + "; " + plan.warnings.front().remedy));
  }
}

// bench exec: one program, refused here if no allocator can be preloaded into it.
void add_program(Plan& plan, const RunOptions& options, const allocators::Registry& registry) {
  const auto executable = find_executable(options.program->command.at(0));
  if (const auto reason = why_not_preloadable(program_behind(executable))) {
    throw UsageError(*reason);
  }
  CellMaker(plan, options, Suite{}, registry).add_program(*options.program);
}

}  // namespace

namespace {

// What counts instructions has to be there.
void check_counters(Measure measure) {
  if (measure == Measure::kInstructions && !fs::exists("/usr/bin/valgrind")) {
    throw UsageError("--counter=instructions counts by callgrind, which is not installed; run: apt-get install valgrind");
  }
  if (measure == Measure::kCycles) {
    if (const auto why = why_no_hardware_counters(); !why.empty()) {
      throw UsageError("--counter=cycles: not supported here: " + why + "; --counter=instructions counts by callgrind anywhere");
    }
  }
}

// Leaves the cells that are the shard's own.
void take_shard(Plan& plan, const Shard& shard) {
  if (static_cast<std::size_t>(shard.count) > plan.cells.size()) {
    throw UsageError("the plan has " + std::to_string(plan.cells.size()) + (plan.cells.size() == 1 ? " cell" : " cells") +
                     ", too few for " + std::to_string(shard.count) + " shards: ask for fewer");
  }
  std::vector<std::unique_ptr<Cell>> own;
  for (std::size_t n = 0; n < plan.cells.size(); ++n) {
    plan.cells_of_all_shards.emplace_back(plan.cells[n]->workload(), plan.cells[n]->threads());
    if (shard.holds(n)) {
      own.push_back(std::move(plan.cells[n]));
    }
  }
  plan.cells = std::move(own);
  std::erase_if(plan.needs, [&plan](const Need& need) {
    return std::none_of(plan.cells.begin(), plan.cells.end(), [&need](const auto& cell) { return cell->label() == need.cell; });
  });
  plan.shard = shard;
}

}  // namespace

Plan make_plan(const RunOptions& options, const allocators::Registry& registry, Launcher& launcher) {
  check_counters(options.measure);
  Plan plan;
  plan.seed = options.seed;
  if (options.program) {
    plan.field = make_field(options, registry);
    plan.repetitions = options.repetitions.value_or(kProgramRepetitions);
    add_program(plan, options, registry);
    return plan;
  }
  const Suite suite = load_suites(launcher.layout().share / "suites", options.suites, usable_cpus());
  plan.field = make_field(options, registry, suite.floor);
  plan.suite = suite.name;
  plan.repetitions = options.repetitions.value_or(suite.repetitions);
  plan.min_time_s = options.min_time_s.value_or(suite.min_time_s);
  add_cells(plan, options, suite, registry, launcher);
  if (options.shard) {
    take_shard(plan, *options.shard);
  }
  check_fit(plan.needs, available_memory_bytes(), plan.field.allocators.size(), options.budget_s);
  warn_of_threads(plan);
  return plan;
}

}  // namespace bench

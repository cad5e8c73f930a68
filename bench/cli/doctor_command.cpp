// bench doctor: the host's card, what spoils figures here, and what can be done about it.
#include <fmt/format.h>

#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/measure/environment.hpp"
#include "bench/measure/host_card.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"

namespace bench::cli {
namespace {

using Json = nlohmann::json;

struct DoctorWords {
  std::string format = "table";
  bool quick = false;
  bool fix = false;
};

std::string told(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? "not told" : found->is_string() ? found->get<std::string>() : found->dump();
}

std::string fact(std::string_view name, std::string_view value) { return fmt::format("{:<26} {}\n", name, value); }

std::string cost_text(double ns) { return ns < 999.5 ? fmt::format("{:.0f} ns", ns) : fmt::format("{:.1f} us", ns / 1000); }

std::string describe_costs(const Json& costs) {
  std::string out = fact("system call", cost_text(costs.at("system_call_ns"))) + fact("reading the clock", cost_text(costs.at("clock_ns"))) +
                    fact("first touch, 4 KiB page", cost_text(costs.at("small_page_ns"))) +
                    fact("first touch, 2 MiB page", costs.contains("huge_page_ns") ? cost_text(costs.at("huge_page_ns")) : "the kernel gives none");
  for (const char* pages : {"1", "33", "34", "512"}) {
    out += fact(fmt::format("giving back {} page{}", pages, std::string_view(pages) == "1" ? "" : "s"), cost_text(costs.at("give_back_ns").at(pages)));
  }
  const auto percent = [&costs](const char* key) { return fmt::format("{:.2f} % (SD)", 100 * costs.at(key).get<double>()); };
  return out + fact("A/A, slices side by side", percent("slice_spread")) + fact("A/A, slices 50 ms apart", percent("apart_spread"));
}

std::string describe_cpus(const Json& cpu) {
  return fmt::format("{} of {}, {}", cpu.value("usable", 0), cpu.value("count", 0), told(cpu, "model"));
}

std::string describe_sizes(const Json& sizes) {
  std::string out;
  for (const auto& [size, state] : sizes.items()) {
    out += fmt::format("{}{} KiB {}", out.empty() ? "" : ", ", size, state.get<std::string>());
  }
  return out.empty() ? "never" : out;
}

std::string describe_host(const Json& environment) {
  const Json& card = environment.at("card");
  const Json& cpu = environment.at("cpu");
  std::string out = fact("host", fmt::format("{}, {}", told(environment, "host"), told(environment, "kernel"))) + fact("hypervisor", told(card, "hypervisor")) +
                    fact("CPUs", describe_cpus(cpu)) + fact("governor, turbo", told(cpu, "governor") + ", " + told(cpu, "turbo")) +
                    fact("load average", told(environment, "load_average")) +
                    fact("memory", fmt::format("{} MiB", environment.at("memory_bytes").get<std::uint64_t>() >> 20)) +
                    fact("swap, used", fmt::format("{} MiB, {} MiB", card.at("swap_bytes").get<std::uint64_t>() >> 20, card.at("swap_used_bytes").get<std::uint64_t>() >> 20)) +
                    fact("huge pages, defrag", told(card.at("huge_pages"), "enabled") + ", " + told(card.at("huge_pages"), "defrag")) +
                    fact("huge pages by size", describe_sizes(card.at("huge_pages").at("sizes"))) +
                    fact("overcommit, ratio", told(card.at("overcommit"), "memory") + ", " + told(card.at("overcommit"), "ratio")) +
                    fact("clock", told(card, "clock_source")) + fact("perf", told(card, "perf"));
  for (const auto& [name, value] : card.at("cgroup").items()) {
    out += fact("cgroup " + name, value.get<std::string>());
  }
  return out;
}

std::string describe_doubts(const std::vector<HostWarning>& warnings) {
  if (warnings.empty()) {
    return "Nothing here gives cause for doubt.\n";
  }
  std::string out;
  for (const auto& warning : warnings) {
    out += fmt::format("doubt: {}\n  remedy: {}\n", warning.what, warning.remedy);
  }
  return out;
}

Json as_json(Json environment, const std::vector<HostWarning>& warnings) {
  environment["doubts"] = Json::array();
  for (const auto& warning : warnings) {
    environment["doubts"].push_back({{"what", warning.what}, {"remedy", warning.remedy}});
  }
  return environment;
}

// What can be mended before anything is measured. False if something was refused.
bool mend_all(const Json& environment) {
  bool done = true;
  for (const auto& warning : host_warnings(environment)) {
    for (const auto& line : mend(warning)) {
      std::fprintf(stderr, "bench: %s\n", line.c_str());
      done = done && line.find(" is now ") != std::string::npos;
    }
  }
  return done;
}

int examine(const DoctorWords& words) {
  if (words.format != "table" && words.format != "json") {
    throw UsageError("unknown format '" + words.format + "'; known: table, json");
  }
  const auto look = [](Effort effort) {
    Json environment = describe_environment();
    environment["card"] = host_card(effort);
    return environment;
  };
  const bool mended = !words.fix || mend_all(look(Effort::kQuick));
  const Json environment = look(words.quick ? Effort::kQuick : Effort::kThorough);
  const auto warnings = host_warnings(environment);
  write_stdout(words.format == "json" ? as_json(environment, warnings).dump(2) + "\n"
                                      : describe_host(environment) + "\n" + describe_costs(environment.at("card").at("costs")) + "\n" + describe_doubts(warnings));
  return mended ? kAllMeasured : kSomeFailed;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  auto words = std::make_shared<DoctorWords>();
  CLI::App* command = app.add_subcommand("doctor", "What this machine charges for memory, what spoils figures here, and what to do about it");
  command->add_option("--format", words->format, "table, json")->take_last()->type_name("NAME");
  command->add_flag("--quick", words->quick, "measure for a second instead of half a minute");
  command->add_flag("--fix", words->fix, "set what can be set without harm: governor, turbo, NUMA balancing (needs root; lost at the next boot)");
  command->footer("Every run keeps such a card in its environment.json. Exit: 0 measured, 2 usage, 3 something could not be set.");
  command->callback([words, &context] { context.action = [words] { return examine(*words); }; });
}

}  // namespace bench::cli

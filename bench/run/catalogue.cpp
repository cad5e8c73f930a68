#include "bench/run/catalogue.hpp"

#include <fstream>
#include <stdexcept>
#include <string_view>

#include "bench/plan/suite.hpp"

namespace bench {
namespace {

constexpr double kAnswerWithinS = 60;
constexpr std::string_view kUnknownFlag = "Google Benchmark does not know ";  // as the worker's main() says it

nlohmann::json ask(Launcher& launcher, worker::Request request) {
  const Attempt attempt = launcher.run(std::move(request), allocators::Candidate{"glibc", {}, {}}, kAnswerWithinS);
  if (attempt.detail.starts_with(kUnknownFlag)) {
    throw UsageError(attempt.detail);
  }
  if (attempt.status != Status::kOk) {
    throw std::runtime_error("the worker cannot describe its workloads: " + attempt.detail);
  }
  return attempt.result;
}

}  // namespace

Catalogue::Catalogue(Launcher& launcher) {
  worker::Request request;
  request.mode = worker::Mode::kList;
  const auto answer = ask(launcher, std::move(request));
  workloads_ = answer.at("workloads");
  failures_ = answer.at("failures").get<std::vector<std::string>>();
}

std::vector<std::string> Catalogue::names() const {
  std::vector<std::string> names;
  for (const auto& workload : workloads_) {
    names.push_back(workload.at("name"));
  }
  return names;
}

std::vector<std::string> Catalogue::names_in(const std::filesystem::path& module) const {
  std::vector<std::string> names;
  for (const auto& workload : workloads_) {
    if (workload.at("module").get<std::string>() == module.string()) {
      names.push_back(workload.at("name"));
    }
  }
  return names;
}

Kind Catalogue::kind_of(std::string_view workload) const {
  for (const auto& known : workloads_) {
    if (known.at("name").get<std::string>() == family_of(workload)) {
      return kind_named(known.at("kind").get<std::string>()).value();
    }
  }
  throw std::logic_error("no workload " + std::string(workload));
}

std::vector<ResolvedWorkload> Catalogue::resolve(Launcher& launcher, const std::vector<std::string>& texts) const {
  if (texts.empty()) {
    return {};
  }
  worker::Request request;
  request.mode = worker::Mode::kResolve;
  request.workloads = texts;
  std::vector<ResolvedWorkload> out;
  for (const auto& answer : ask(launcher, std::move(request))) {
    if (answer.contains("error")) {
      throw UsageError(answer.at("error").get<std::string>());
    }
    const std::string name = answer.at("name");
    const Kind kind = kind_of(name);
    out.push_back({name, answer.at("threads"), kind, kind == Kind::kPrograms, answer.at("parameters"), answer.at("smoke_iterations")});
  }
  return out;
}

std::vector<MissingWorkload> missing_workloads(const Layout& layout) {
  std::ifstream in(layout.workload_modules / "missing.json");
  if (!in) {
    return {};
  }
  std::vector<MissingWorkload> out;
  for (const auto& row : nlohmann::json::parse(in)) {
    out.push_back({row.at("workload"), row.at("package")});
  }
  return out;
}

}  // namespace bench

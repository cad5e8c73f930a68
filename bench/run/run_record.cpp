#include "bench/run/run_record.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kPointsKept = 500;

std::string key_of(const Cell& cell) { return cell.workload() + " threads=" + std::to_string(cell.threads()); }

// As RFC 4180 has it: names hold commas, and those of the user's anything.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' ? "\"\"" : std::string(1, c);
  }
  return out + "\"";
}

void write_rows(std::ofstream& out, const std::string& prefix, const json& timeline) {
  const auto& points = timeline.at("points");
  const std::size_t step = points.size() / kPointsKept + 1;
  for (std::size_t i = 0; i < points.size(); i += step) {
    out << prefix << points[i][0].get<double>() * 1e-9 << ',' << points[i][1].get<std::uint64_t>() << ','
        << points[i][2].get<std::uint64_t>() << ",,,\n";
  }
  for (const auto& phase : timeline.at("phases")) {
    out << prefix << phase.at("time_ns").get<double>() * 1e-9 << ',' << phase.at("rss_bytes").get<std::uint64_t>() << ",0,"
        << phase.at("phase").get<std::string>() << ',' << phase.at("pss_bytes").get<std::uint64_t>() << ','
        << phase.at("huge_bytes").get<std::uint64_t>() << '\n';
  }
}

// The columns that say whose a row is, with the comma behind.
std::string identity_columns(const Sample& identity) {
  return std::to_string(identity.block) + "," + quoted(identity.workload) + "," + std::to_string(identity.threads) + "," +
         quoted(identity.allocator) + ",";
}

// Appends what `write` writes to a file that has `header`.
template <typename Write>
void append_to(const fs::path& file, const char* header, Write write) {
  const bool fresh = !fs::exists(file);
  std::ofstream out(file, std::ios::app);
  if (fresh) {
    out << header;
  }
  write(out);
  out.close();
  if (!out) {
    throw OutputError("cannot write " + file.string() + "; free space or choose another --out");
  }
}

}  // namespace

void RunRecord::set_command(const std::vector<std::string>& words, const fs::path& working_folder) {
  state_["command"] = words;
  state_["working_folder"] = working_folder.string();
}

void RunRecord::set_prepared(const Cell& cell) { state_["cells"][key_of(cell)] = cell.state(); }

void RunRecord::set_failed(const Cell& cell, const std::string& why) { state_["cells"][key_of(cell)] = {{"failed", why}}; }

json RunRecord::prepared(const Cell& cell) const {
  const auto found = state_["cells"].find(key_of(cell));
  return found == state_["cells"].end() ? json() : *found;
}

void RunRecord::write() const {
  const fs::path file = folder_ / "run.json";
  const fs::path beside = folder_ / "run.json.part";
  std::ofstream out(beside, std::ios::trunc);
  out << state_.dump(1) << '\n';
  out.close();
  std::error_code error;
  if (out) {
    fs::rename(beside, file, error);
  }
  if (!out || error) {
    throw OutputError("cannot write " + file.string() + ": " + std::strerror(errno) +
                      "; free space or choose another --out, then go on with --resume " + folder_.string());
  }
}

void RunRecord::load() {
  std::ifstream in(folder_ / "run.json");
  state_ = json::parse(in, nullptr, false);
  if (!in.is_open() || !state_.is_object() || !state_.contains("command") || !state_.contains("cells")) {
    throw UsageError("nothing to resume in " + folder_.string() + ": it has no readable run.json");
  }
}

std::vector<std::string> RunRecord::command_words() const { return state_.at("command"); }

fs::path RunRecord::working_folder() const { return state_.at("working_folder").get<std::string>(); }

void RunRecord::append_timelines(const Sample& identity, const json& timelines) const {
  if (timelines.empty()) {
    return;
  }
  append_to(folder_ / "timelines.csv",
            "block,workload,threads,allocator,start_rss_bytes,time_s,rss_bytes,live_bytes,phase,pss_bytes,huge_bytes\n",
            [&](std::ofstream& out) {
              for (const auto& timeline : timelines) {
                write_rows(out, identity_columns(identity) + std::to_string(timeline.at("start_rss_bytes").get<std::uint64_t>()) + ",", timeline);
              }
            });
}

void RunRecord::append_histograms(const Sample& identity, const json& histograms) const {
  if (histograms.empty()) {
    return;
  }
  append_to(folder_ / "latency.csv", "block,workload,threads,allocator,function,from_ns,to_ns,count\n", [&](std::ofstream& out) {
    for (const auto& histogram : histograms) {
      const std::string prefix = identity_columns(identity) + histogram.at("function").get<std::string>() + ",";
      for (const auto& bucket : histogram.at("buckets")) {
        out << prefix << bucket[0].get<double>() << ',' << bucket[1].get<double>() << ',' << bucket[2].get<std::uint64_t>() << '\n';
      }
    }
  });
}

}  // namespace bench

// What a run leaves for itself beside its results, so that it can go on after a stop: DIR/run.json and timelines.csv.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/cells/cell.hpp"

namespace bench {

class RunRecord {
 public:
  explicit RunRecord(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The words of the command line and the folder it was typed in.
  void set_command(const std::vector<std::string>& words, const std::filesystem::path& working_folder);
  void set_prepared(const Cell& cell);
  // The cell could not be prepared and is not to be tried again.
  void set_failed(const Cell& cell, const std::string& why);
  // What prepare() found for the cell in an earlier part of the run; null if it was not prepared;
  // an object with "failed" if it could not be.
  [[nodiscard]] nlohmann::json prepared(const Cell& cell) const;

  // Replaces run.json. Throws OutputError.
  void write() const;
  // Reads run.json of an earlier part. Throws UsageError if there is none or it cannot be read.
  void load();
  [[nodiscard]] std::vector<std::string> command_words() const;
  [[nodiscard]] std::filesystem::path working_folder() const;

  // Appends timelines of one process to timelines.csv, thinned to at most 500 points each. Throws OutputError.
  void append_timelines(const Sample& identity, const nlohmann::json& timelines) const;
  // Appends histograms of one process to latency.csv, a row a bucket. Throws OutputError.
  void append_histograms(const Sample& identity, const nlohmann::json& histograms) const;

 private:
  std::filesystem::path folder_;
  nlohmann::json state_ = {{"cells", nlohmann::json::object()}};
};

}  // namespace bench

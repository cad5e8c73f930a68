// Tells the user on stderr how far a run is and how long it will go on.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace bench {

// On a terminal one line that is written over; otherwise plain lines, at most one every ten seconds.
class Progress {
 public:
  explicit Progress(bool live);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `count` more steps will be made in that cell, each expected to take `expected_s` until one has shown.
  void expect(const std::string& cell, int count, double expected_s);
  // Steps that will not be made after all.
  void drop(const std::string& cell, int count);

  void begin(const std::string& text);
  void end(const std::string& cell, double took_s);
  // A line that stays, above the live one.
  void say(const std::string& line);

  [[nodiscard]] double seconds_left() const;

 private:
  struct Steps {
    int left = 0;
    int made = 0;
    double expected_s = 0;
    double spent_s = 0;
  };

  void clear();

  const bool live_;
  int made_ = 0;
  int total_ = 0;
  std::map<std::string, Steps> cells_;
  std::int64_t last_plain_ns_ = 0;
};

// "1 min 20 s", "45 s", "2 h 5 min"
std::string format_duration(double seconds);

}  // namespace bench

// A profile as text.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "workloads/trace/analyse/profile.hpp"

namespace trace {
namespace {

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// The range of a log2 bucket: "0", "1", "2-3", "1 KiB-2 KiB".
std::string range_of(unsigned bucket, std::string (*human)(double)) {
  if (bucket <= 1) {
    return human(bucket);
  }
  const double low = std::ldexp(1.0, static_cast<int>(bucket) - 1);
  return human(low) + " - " + human(low * 2);
}

std::string bar(std::uint64_t part, std::uint64_t most) {
  constexpr double kWidth = 32;
  const double width =
      most == 0 ? 0 : kWidth * static_cast<double>(part) / static_cast<double>(most);
  return std::string(static_cast<std::size_t>(std::lround(width)), '#');
}

std::string line(const std::string& label, const std::string& value) {
  return fmt::format("  {:<22} {}\n", label, value);
}

std::string head(const Profile& profile, const std::string& name) {
  const Totals& totals = profile.totals;
  std::string out = name + "\n";
  for (std::size_t at = 0; at < profile.info.size();) {
    const std::size_t end = std::min(profile.info.find('\n', at), profile.info.size());
    const std::size_t equals = profile.info.find('=', at);
    if (equals < end) {
      out += line(profile.info.substr(at, equals - at),
                  profile.info.substr(equals + 1, end - equals - 1));
    }
    at = end + 1;
  }
  const double events = static_cast<double>(std::max<std::uint64_t>(totals.events, 1));
  out += line("events", fmt::format("{} ({:.2f} bytes each in the file)", totals.events,
                                    static_cast<double>(profile.file_bytes) / events));
  out += line("threads", std::to_string(totals.threads));
  out += line("duration", fmt::format("{:.3f} s", static_cast<double>(totals.duration_us) * 1e-6));
  out += line("peak live", fmt::format("{} in {} objects at most",
                                       human_bytes(static_cast<double>(totals.peak_live_bytes)),
                                       totals.peak_live_objects));
  out += line("allocated in all", human_bytes(static_cast<double>(profile.allocated_bytes)));
  return out;
}

std::string kinds(const Profile& profile) {
  std::string out = "\nCalls\n";
  for (std::uint8_t kind = kFirstKind; kind <= kLastKind; ++kind) {
    if (profile.kinds[kind] > 0) {
      out += fmt::format("  {:<22} {:>12}  {:5.1f} %\n", to_string(static_cast<Kind>(kind)),
                         profile.kinds[kind], share(profile.kinds[kind], profile.totals.events));
    }
  }
  const auto& reallocs = profile.reallocs;
  if (const std::uint64_t all = reallocs.grew + reallocs.shrank + reallocs.same; all > 0) {
    const double growth =
        reallocs.grown_from_some == 0
            ? 1
            : std::exp2(reallocs.log2_growth / static_cast<double>(reallocs.grown_from_some));
    out += line(
        "of the reallocs",
        fmt::format(
            "{:.1f} % grew (by {:.2f} on average), {:.1f} % shrank, {:.1f} % on another thread",
            share(reallocs.grew, all), growth, share(reallocs.shrank, all),
            share(reallocs.remote, all)));
  }
  out += line(
      "remote frees",
      fmt::format("{:.2f} % of {}", share(profile.remote_frees, profile.frees), profile.frees));
  return out;
}

std::string sizes(const Profile& profile) {
  const std::uint64_t all =
      std::accumulate(profile.sizes.begin(), profile.sizes.end(), std::uint64_t{0});
  const std::uint64_t most = *std::max_element(profile.sizes.begin(), profile.sizes.end());
  const std::uint64_t bytes =
      std::accumulate(profile.size_bytes.begin(), profile.size_bytes.end(), std::uint64_t{0});
  std::string out = fmt::format("\nSizes of new objects\n  {:<22} {:>12}  {:>7}  {:>9}\n", "bytes",
                                "objects", "objects", "of bytes");
  for (unsigned i = 0; i < kSizeBuckets; ++i) {
    if (profile.sizes[i] > 0) {
      out += fmt::format("  {:<22} {:>12}  {:5.1f} %  {:7.1f} %  {}\n", range_of(i, human_bytes),
                         profile.sizes[i], share(profile.sizes[i], all),
                         share(profile.size_bytes[i], bytes), bar(profile.sizes[i], most));
    }
  }
  return out;
}

std::string lifetimes(const Profile& profile) {
  std::array<std::uint64_t, kLifetimeBuckets> by_lifetime{};
  for (const auto& row : profile.lifetimes) {
    for (unsigned i = 0; i < kLifetimeBuckets; ++i) {
      by_lifetime[i] += row[i];
    }
  }
  const std::uint64_t never =
      std::accumulate(profile.never_freed.begin(), profile.never_freed.end(), std::uint64_t{0});
  const std::uint64_t all = std::accumulate(by_lifetime.begin(), by_lifetime.end(), never);
  const std::uint64_t most =
      std::max(never, *std::max_element(by_lifetime.begin(), by_lifetime.end()));
  std::string out = fmt::format("\nLifetimes, in calls between allocation and free\n");
  const auto row = [&](const std::string& label, std::uint64_t count) {
    return count == 0 ? ""
                      : fmt::format("  {:<22} {:>12}  {:5.1f} %  {}\n", label, count,
                                    share(count, all), bar(count, most));
  };
  for (unsigned i = 0; i < kLifetimeBuckets; ++i) {
    out += row(range_of(i, human_count), by_lifetime[i]);
  }
  return out + row("not freed", never);
}

std::string threads(const Profile& profile) {
  if (profile.threads.size() < 2) {
    return "";
  }
  constexpr std::size_t kShown = 10;
  std::vector<std::size_t> order(profile.threads.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return profile.threads[a].events > profile.threads[b].events;
  });
  std::string out = fmt::format("\nThreads\n  {:<8} {:>12} {:>12} {:>12} {:>8}\n", "thread",
                                "events", "allocations", "frees", "remote");
  for (std::size_t i = 0; i < std::min(kShown, order.size()); ++i) {
    const auto& thread = profile.threads[order[i]];
    out += fmt::format("  {:<8} {:>12} {:>12} {:>12} {:>6.1f} %\n", order[i], thread.events,
                       thread.allocations, thread.frees, share(thread.remote_frees, thread.frees));
  }
  if (order.size() > kShown) {
    out += fmt::format("  and {} more\n", order.size() - kShown);
  }
  return out;
}

// Live bytes over time as one line of blocks, for those who draw no chart.
std::string timeline(const Profile& profile) {
  static constexpr const char* kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::size_t kColumns = 72;
  std::vector<std::uint64_t> columns(kColumns, 0);
  std::uint64_t most = 1;
  for (const auto& point : profile.timeline) {
    const std::size_t column =
        std::min<std::size_t>(kColumns - 1, point.event * kColumns / (profile.totals.events + 1));
    columns[column] = std::max(columns[column], point.live_bytes);
    most = std::max(most, point.live_bytes);
  }
  std::string out =
      "\nLive bytes over the calls, 0 to " + human_bytes(static_cast<double>(most)) + "\n  |";
  std::uint64_t before = 0;
  for (const std::uint64_t column : columns) {
    before = column == 0 ? before : column;  // fewer points than columns
    out += kBlocks[static_cast<std::size_t>(
        std::lround(8.0 * static_cast<double>(before) / static_cast<double>(most)))];
  }
  return out + "|\n";
}

std::string scaled(double value, double base, const std::vector<const char*>& units) {
  std::size_t unit = 0;
  while (value >= base && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  const int digits = unit == 0 || value >= 100 ? 0 : value == std::floor(value) ? 0 : 1;
  return fmt::format("{:.{}f}{}", value, digits, units[unit]);
}

}  // namespace

std::string human_bytes(double bytes) {
  return scaled(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB"});
}

std::string human_count(double count) { return scaled(count, 1000, {"", " k", " M", " G", " T"}); }

std::string to_table(const Profile& profile, const std::string& name) {
  std::string out = head(profile, name) + timeline(profile) + kinds(profile) + sizes(profile) +
                    lifetimes(profile) + threads(profile);
  if (!profile.truncated.empty()) {
    out += "\nThis trace is not whole: " + profile.truncated +
           ". What is above is of its whole blocks.\n";
  }
  return out;
}

}  // namespace trace

// Turns `name:key=value,...` into a Selection, and mistakes in it into messages that say what would
// be right.
#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "workloads/registry.hpp"

namespace workloads {
namespace {

// Levenshtein's edit distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

// The three names that are nearest to what was written.
std::string nearest_names(std::string_view written) {
  std::vector<std::pair<std::size_t, std::string>> names;
  for (const Entry& entry : registered()) {
    const bool part = entry.info.name.find(written) != std::string::npos;
    names.emplace_back(part ? 0 : distance(written, entry.info.name), entry.info.name);
  }
  std::sort(names.begin(), names.end());
  std::vector<std::string> nearest;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, names.size()); ++i) {
    nearest.push_back(names[i].second);
  }
  return join(nearest);
}

std::string describe_range(const Parameter& parameter) {
  if (!parameter.choices.empty()) {
    return "one of " + join(parameter.choices);
  }
  return std::to_string(parameter.min_value) + " to " + std::to_string(parameter.max_value) +
         (parameter.unit.empty() ? "" : " " + parameter.unit);
}

std::string describe_keys(const Info& info) {
  if (info.parameters.empty()) {
    return "it has no parameters";
  }
  std::vector<std::string> keys;
  for (const Parameter& parameter : info.parameters) {
    keys.push_back(parameter.name + " (" + describe_range(parameter) + ")");
  }
  return "its parameters are " + join(keys);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t factor = 1;
  if (!text.empty()) {
    const char suffix = text.back();
    if (suffix == 'k' || suffix == 'K') {
      factor = std::int64_t{1} << 10;
    }
    if (suffix == 'm' || suffix == 'M') {
      factor = std::int64_t{1} << 20;
    }
    if (suffix == 'g' || suffix == 'G') {
      factor = std::int64_t{1} << 30;
    }
    if (factor != 1) {
      text.remove_suffix(1);
    }
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  if (value > std::numeric_limits<std::int64_t>::max() / factor) {
    return std::nullopt;
  }
  if (value < std::numeric_limits<std::int64_t>::min() / factor) {
    return std::nullopt;
  }
  return value * factor;
}

std::optional<std::int64_t> parse_value(const Parameter& parameter, std::string_view text) {
  if (!parameter.choices.empty()) {
    const auto found = std::find(parameter.choices.begin(), parameter.choices.end(), text);
    if (found == parameter.choices.end()) {
      return std::nullopt;
    }
    return found - parameter.choices.begin();
  }
  const std::optional<std::int64_t> value = parse_integer(text);
  if (!value || *value < parameter.min_value || *value > parameter.max_value) {
    return std::nullopt;
  }
  return value;
}

// Sets the one parameter that `assignment`, "key=value", names.
void assign(const Info& info, std::string_view assignment, std::vector<std::int64_t>& values,
            std::vector<bool>& assigned) {
  const std::size_t equals = assignment.find('=');
  const std::string key(assignment.substr(0, equals));
  const auto parameter = std::find_if(info.parameters.begin(), info.parameters.end(),
                                      [&](const Parameter& p) { return p.name == key; });
  if (parameter == info.parameters.end()) {
    throw SelectionError("workload " + info.name + " has no parameter '" + key + "'; " +
                         describe_keys(info));
  }
  const auto index = static_cast<std::size_t>(parameter - info.parameters.begin());
  const std::string where = "workload " + info.name + ": " + key;
  if (equals == std::string_view::npos) {
    throw SelectionError(where + " needs a value: write " + key + "=" +
                         format_value(*parameter, parameter->value));
  }
  if (assigned[index]) {
    throw SelectionError(where + " is given twice; write it once");
  }
  const std::string text(assignment.substr(equals + 1));
  const std::optional<std::int64_t> value = parse_value(*parameter, text);
  if (!value) {
    throw SelectionError(where + " cannot be '" + text + "'; it must be " +
                         describe_range(*parameter));
  }
  values[index] = *value;
  assigned[index] = true;
}

// A workload that draws sizes has `min` and `max`.
void check_order(const Selection& selection) {
  const auto& parameters = selection.entry.info.parameters;
  const auto index_of = [&](std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(parameters, name, &Parameter::name) -
                                    parameters.begin());
  };
  const std::size_t low = index_of("min");
  const std::size_t high = index_of("max");
  if (low == parameters.size() || high == parameters.size() ||
      selection.values[low] <= selection.values[high]) {
    return;
  }
  throw SelectionError("workload " + selection.entry.info.name +
                       ": min=" + std::to_string(selection.values[low]) +
                       " is above max=" + std::to_string(selection.values[high]) + "; set both");
}

}  // namespace

std::string format_value(const Parameter& parameter, std::int64_t value) {
  if (parameter.choices.empty()) {
    return std::to_string(value);
  }
  return parameter.choices.at(static_cast<std::size_t>(value));
}

std::string Selection::name() const {
  std::string text = entry.info.name;
  char separator = ':';
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Parameter& parameter = entry.info.parameters[i];
    if (values[i] == parameter.value) {
      continue;
    }
    text += separator + parameter.name + "=" + format_value(parameter, values[i]);
    separator = ',';
  }
  return text;
}

Selection select(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const Entry* entry = find(name);
  if (entry == nullptr) {
    throw SelectionError("no workload is called '" + std::string(name) + "'; the nearest are " +
                         nearest_names(name) + " (`bench list workloads` shows all)");
  }
  Selection selection{*entry, {}};
  for (const Parameter& parameter : entry->info.parameters) {
    selection.values.push_back(parameter.value);
  }
  if (colon == std::string_view::npos) {
    return selection;
  }
  std::vector<bool> assigned(selection.values.size(), false);
  std::string_view rest = text.substr(colon + 1);
  while (true) {
    const std::size_t comma = rest.find(',');
    assign(entry->info, rest.substr(0, comma), selection.values, assigned);
    if (comma == std::string_view::npos) {
      check_order(selection);
      return selection;
    }
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace workloads

// Small files in which the kernel tells of the machine: /proc, /sys, cgroups. What cannot be read is nothing, never an error.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

std::optional<std::string> first_line(const std::filesystem::path& file);

// The value of the first line "KEY<separators>VALUE".
std::optional<std::string> field_of(const std::filesystem::path& file, std::string_view key, std::string_view separators);

// "always [madvise] never" -> "madvise"
std::optional<std::string> chosen(const std::filesystem::path& file);

// The folders of the cgroups (version 2) that this process is in, innermost first.
std::vector<std::filesystem::path> cgroup_folders();

// Sets the key if there is a value.
void put(nlohmann::json& into, const char* key, const std::optional<std::string>& value);

}  // namespace bench

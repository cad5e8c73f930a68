#include <fmt/format.h>

#include <filesystem>

#include "bench/advise/rows.hpp"

namespace bench {

std::string usage_lines(const Findings& findings, const std::string& allocator) {
  const auto rows = findings.report.facts.environment.value("allocators", nlohmann::json::array());
  std::string library;
  std::string settings;  // "NAME=VALUE " each
  for (const auto& row : rows) {
    if (row.value("name", "") == allocator) {
      library = row.value("library", "");
      const auto environment = row.value("environment", nlohmann::json::object());
      for (const auto& [name, value] : environment.items()) {
        settings += fmt::format("{}={} ", name, value.get<std::string>());
      }
    }
  }
  const std::string file = std::filesystem::path(library).filename();
  if (library.empty() || file.starts_with("libc.so") || file.starts_with("libc-")) {
    return "";
  }
  const bool is_osmem = file.starts_with("libosmem.so");
  const std::string linked = is_osmem ? "find_package(osmem REQUIRED)  target_link_libraries(app osmem::osmem)"
                                      : fmt::format("target_link_options(app PRIVATE LINKER:--no-as-needed {})", library);
  return fmt::format("  shell       LD_PRELOAD={0} {1}COMMAND\n"
                     "  systemd     systemctl edit UNIT: [Service] Environment=\"LD_PRELOAD={0}\"{2}\n"
                     "  Dockerfile  COPY {3} /usr/local/lib/  then\n"
                     "              ENV LD_PRELOAD=/usr/local/lib/{3}{2}\n"
                     "  CMake       {4}\n",
                     library, settings, settings.empty() ? "" : " " + settings.substr(0, settings.size() - 1), file, linked);
}

}  // namespace bench

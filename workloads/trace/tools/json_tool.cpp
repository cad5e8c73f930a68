// A C++ program to record: reads JSON from stdin, groups its records by a key, sorts, and writes a
// summary, with nlohmann::json, std::map and std::string all over.
#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

int main() {
  const nlohmann::json records = nlohmann::json::parse(std::cin);
  std::map<std::string, std::vector<nlohmann::json>> groups;
  for (const auto& record : records) {
    groups[record.at("city").get<std::string>()].push_back(record);
  }
  nlohmann::json summary = nlohmann::json::array();
  for (auto& [city, members] : groups) {
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
      return a.at("age").template get<int>() < b.at("age").template get<int>();
    });
    nlohmann::json names = nlohmann::json::array();
    for (const auto& member : members) {
      names.push_back(member.at("name"));
    }
    summary.push_back(
        {{"city", city}, {"count", members.size()}, {"names", names}, {"oldest", members.back()}});
  }
  std::cout << summary.dump(1) << "\n";
  return 0;
}

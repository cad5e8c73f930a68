// Proves for osmem.hpp: containers of the standard library work on the memory resource and on the allocator, nothing is lost
// when they go, over-aligned types are aligned, failure throws, and blocks of one interface may be freed by the other.
// Does not prove anything about the blocks themselves, which osmem_shadow_test watches.
#include "allocator/osmem/api/osmem.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

std::size_t allocated_bytes() {
  struct os_stats stats = {};
  EXPECT_TRUE(os_stats(&stats));
  return stats.allocated_bytes;
}

template <std::size_t kAlignment>
struct alignas(kAlignment) Aligned {
  unsigned char bytes[kAlignment];
};

template <typename T>
bool is_aligned(const T* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignof(T) == 0;
}

using String = std::basic_string<char, std::char_traits<char>, osmem::Allocator<char>>;
template <typename Key, typename Value>
using Map = std::map<Key, Value, std::less<>, osmem::Allocator<std::pair<const Key, Value>>>;
struct Hash {
  std::size_t operator()(const String& text) const { return std::hash<std::string_view>()(text); }
};
using HashMap = std::unordered_map<String, int, Hash, std::equal_to<>, osmem::Allocator<std::pair<const String, int>>>;

class Containers : public testing::Test {
 protected:
  void SetUp() override {
    os_free(os_malloc(1));
    before_bytes_ = allocated_bytes();
  }
  void TearDown() override { EXPECT_EQ(allocated_bytes(), before_bytes_); }
  // That memory comes from osmem at all is part of what is tested.
  void expect_grown_by(std::size_t least_bytes) const { EXPECT_GE(allocated_bytes() - before_bytes_, least_bytes); }

  std::size_t before_bytes_ = 0;
};

TEST_F(Containers, VectorOnTheAllocator) {
  std::vector<int, osmem::Allocator<int>> numbers;
  for (int i = 0; i < 100000; ++i) numbers.push_back(i);
  expect_grown_by(100000 * sizeof(int));
  EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0}), 4999950000);
  std::vector<int, osmem::Allocator<int>> moved = std::move(numbers);
  EXPECT_EQ(moved.size(), 100000U);
}

TEST_F(Containers, MapAndHashMapOfStringsOnTheAllocator) {
  Map<int, String> map;
  HashMap table;
  for (int i = 0; i < 5000; ++i) {
    const String text = String("a string that is too long to live inside of its object: ") + std::to_string(i).c_str();
    map.emplace(i, text);
    table.emplace(text, i);
  }
  expect_grown_by(5000 * 2 * 57);
  for (int i = 0; i < 5000; i += 2) {
    EXPECT_EQ(table.at(map.at(i)), i);
    table.erase(map.at(i));
    map.erase(i);
  }
  EXPECT_EQ(map.size(), 2500U);
  EXPECT_EQ(table.size(), 2500U);
}

TEST_F(Containers, PolymorphicContainersPassTheResourceOn) {
  std::pmr::map<int, std::pmr::vector<std::pmr::string>> map(osmem::resource());
  for (int i = 0; i < 1000; ++i) {
    for (int j = 0; j < 5; ++j) map[i].emplace_back(200, static_cast<char>('a' + j));
  }
  expect_grown_by(1000 * 5 * 200);
  EXPECT_EQ(map.at(7).at(3), std::pmr::string(200, 'd'));
  EXPECT_EQ(map.at(7).at(3).get_allocator().resource(), osmem::resource());
  std::pmr::unordered_map<std::pmr::string, int> table(osmem::resource());
  for (const auto& [key, texts] : map) table[std::pmr::string(std::to_string(key), osmem::resource())] = key;
  EXPECT_EQ(table.at("999"), 999);
}

TEST_F(Containers, StandardPoolsGrowFromTheResource) {
  std::pmr::unsynchronized_pool_resource pool(osmem::resource());
  std::pmr::vector<std::pmr::string> texts(&pool);
  for (int i = 0; i < 1000; ++i) texts.emplace_back(100, 'x');
  expect_grown_by(100000);
  EXPECT_EQ(texts.back(), std::pmr::string(100, 'x'));
}

template <typename T>
void fill_both() {
  std::vector<T, osmem::Allocator<T>> plain;
  std::pmr::vector<T> polymorphic(osmem::resource());
  for (int i = 0; i < 100; ++i) {
    plain.emplace_back();
    polymorphic.emplace_back();
    ASSERT_TRUE(is_aligned(plain.data())) << alignof(T);
    ASSERT_TRUE(is_aligned(polymorphic.data())) << alignof(T);
  }
}

TEST_F(Containers, OverAlignedTypesAreAligned) {
  fill_both<Aligned<32>>();
  fill_both<Aligned<64>>();
  fill_both<Aligned<4096>>();
  fill_both<Aligned<65536>>();
}

TEST_F(Containers, MapOfOverAlignedValues) {
  Map<int, Aligned<64>> map;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(is_aligned(&map[i]));
  expect_grown_by(1000 * 128);
}

TEST_F(Containers, FailureThrows) {
  osmem::Allocator<char> allocator;
  EXPECT_THROW(static_cast<void>(allocator.allocate(SIZE_MAX / 2)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(osmem::Allocator<std::uint64_t>().allocate(SIZE_MAX / 4)), std::bad_array_new_length);
  EXPECT_THROW(static_cast<void>(osmem::Allocator<Aligned<64>>().allocate(SIZE_MAX / 128)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(osmem::resource()->allocate(SIZE_MAX / 2)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(osmem::resource()->allocate(SIZE_MAX / 2, 64)), std::bad_alloc);
  std::vector<char, osmem::Allocator<char>> bytes(10, 'x');
  EXPECT_THROW(bytes.resize(PTRDIFF_MAX), std::bad_alloc);
  EXPECT_EQ(bytes.size(), 10U);
}

TEST_F(Containers, ResourcesAndAllocatorsAreEqualAndFreeEachOthersBlocks) {
  osmem::MemoryResource other;
  EXPECT_EQ(*osmem::resource(), other);
  EXPECT_NE(*osmem::resource(), *std::pmr::new_delete_resource());
  EXPECT_TRUE(osmem::Allocator<int>() == osmem::Allocator<char>());
  void* block = osmem::resource()->allocate(1000, 64);
  other.deallocate(block, 1000, 64);
  osmem::Allocator<char>().deallocate(static_cast<char*>(osmem::resource()->allocate(100)), 100);
  os_free(osmem::Allocator<int>().allocate(25));
}

TEST_F(Containers, SharedPointersKeepTheAllocator) {
  const auto shared = std::allocate_shared<Aligned<128>>(osmem::Allocator<Aligned<128>>());
  EXPECT_TRUE(is_aligned(shared.get()));
  expect_grown_by(128);
}

}  // namespace

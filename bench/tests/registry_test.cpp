// Proves how allocators are named by the user and refused when they cannot work: lists, configurations, suggestions, ELF files that
// are missing, foreign, damaged or no malloc. Does not prove that an allocator serves a process: see bench_cli_test.py.
#include "bench/allocators/registry.hpp"

#include <elf.h>
#include <gmock/gmock.h>

#include <cstring>
#include <fstream>

#include "bench/allocators/adapters/adapters.hpp"
#include "bench/allocators/nearest.hpp"
#include "bench/allocators/shared_object.hpp"

namespace {

namespace fs = std::filesystem;
using allocators::Known;
using allocators::Registry;
using allocators::Role;
using allocators::UnusableAllocator;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const fs::path kFixtures = FIXTURE_DIR;

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() : folder_(fs::path(testing::TempDir()) / ("registry_test." + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~RegistryTest() override { fs::remove_all(folder_); }

  fs::path file(const char* name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  // The bytes of a library that is sound.
  static std::string sound_bytes() {
    std::ifstream in(kFixtures / "fixture_refuses.so", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string refusal(const std::string& list) const {
    try {
      return "accepted: " + std::to_string(registry_.parse(list).size());
    } catch (const UnusableAllocator& error) {
      return error.what();
    }
  }

  const fs::path folder_;
  const std::vector<Known> known_ = {
      {"here", Role::kProduction, "", {"fixture_refuses.so"}, "libhere1"},
      {"glibc", Role::kProduction, "", {}, "libc6"},
      {"absent", Role::kProduction, "", {"libabsent.so.7"}, "libabsent7"},
      {"unbuilt", Role::kOurs, "", {"libunbuilt.so"}, ""},
  };
  const Registry registry_{known_, {kFixtures}};
  const std::string good_ = (kFixtures / "fixture_refuses.so").string();
};

TEST_F(RegistryTest, ReadsNamesPathsAndLabels) {
  const auto list = registry_.parse("here,glibc,mine=" + good_ + "," + (kFixtures / "fixture_crashes.so").string());
  ASSERT_EQ(list.size(), 4U);
  EXPECT_EQ(list[0].name, "here");
  EXPECT_EQ(list[0].library, good_);
  EXPECT_TRUE(list[1].library.empty());
  EXPECT_EQ(list[2].name, "mine");
  EXPECT_EQ(list[2].library, good_);
  EXPECT_EQ(list[3].name, "fixture_crashes");
}

TEST_F(RegistryTest, GivesEachConfigurationItsEnvironment) {
  const auto list = registry_.parse("a=here,CONF=x:1,y:2,OTHER=3,glibc,b=here,CONF=z");
  ASSERT_EQ(list.size(), 3U);
  EXPECT_THAT(list[0].environment, ElementsAre(Pair("CONF", "x:1,y:2"), Pair("OTHER", "3")));
  EXPECT_THAT(list[1].environment, IsEmpty());
  EXPECT_THAT(list[2].environment, ElementsAre(Pair("CONF", "z")));
}

TEST_F(RegistryTest, AllMeansWhatIsInstalled) {
  const auto list = registry_.parse("all");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].name, "here");
  EXPECT_EQ(list[1].name, "glibc");
}

TEST_F(RegistryTest, TakesTheSameAllocatorTwiceAsOneAndRefusesTwoUnderOneName) {
  EXPECT_EQ(registry_.parse("here,here").size(), 1U);
  EXPECT_THAT(refusal("here,here,CONF=1"), HasSubstr("two different allocators are called 'here'"));
}

TEST_F(RegistryTest, SuggestsTheNearestName) {
  EXPECT_THAT(refusal("hree"), HasSubstr("unknown allocator 'hree'; did you mean here?"));
  EXPECT_THAT(refusal("zzzzzz"), HasSubstr("known: here, glibc, absent, unbuilt"));
}

TEST_F(RegistryTest, SaysHowToInstallWhatIsMissing) {
  EXPECT_EQ(refusal("absent"), "absent is not installed; run: apt-get install libabsent7");
  EXPECT_THAT(refusal("unbuilt"), HasSubstr("not built here"));
}

TEST_F(RegistryTest, RefusesEmptyNamesAndStraySettings) {
  EXPECT_THAT(refusal("here,,glibc"), HasSubstr("name is empty"));
  EXPECT_THAT(refusal("CONF=1"), HasSubstr("before any allocator"));
  EXPECT_THAT(refusal("here,LD_PRELOAD=/x.so"), HasSubstr("LD_PRELOAD"));
}

TEST_F(RegistryTest, RefusesFilesThatAreNoSharedObject) {
  EXPECT_THAT(refusal("./no/such/lib.so"), HasSubstr("no such file"));
  EXPECT_THAT(refusal(folder_.string() + "/"), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal(file("text.so", "hello, world, this is no library at all").string()), HasSubstr("not an ELF file"));
  EXPECT_THAT(refusal(file("empty.so", "").string()), HasSubstr("not an ELF file"));
  EXPECT_THAT(refusal(file("short.so", sound_bytes().substr(0, 40)).string()), HasSubstr("damaged"));
}

TEST_F(RegistryTest, RefusesOtherArchitectures) {
  std::string bytes = sound_bytes();
  bytes[EI_CLASS] = ELFCLASS32;
  EXPECT_THAT(refusal(file("narrow.so", bytes).string()), HasSubstr("32-bit"));
  bytes = sound_bytes();
  bytes[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_S390);
  EXPECT_THAT(refusal(file("foreign.so", bytes).string()), HasSubstr("another architecture"));
}

TEST_F(RegistryTest, RefusesLibrariesThatAreNoWholeMalloc) {
  EXPECT_THAT(refusal((kFixtures / "fixture_misbehaving.so").string()), HasSubstr("exports no malloc"));
  EXPECT_THAT(refusal((kFixtures / "fixture_partial.so").string()), HasSubstr("must also export aligned_alloc"));
}

// Whatever a byte of the headers says, the file is accepted or refused; nothing is read outside it.
TEST_F(RegistryTest, SurvivesEveryDamagedHeaderByte) {
  const std::string sound = sound_bytes();
  Elf64_Ehdr header{};
  std::memcpy(&header, sound.data(), sizeof header);
  int refused = 0;
  const auto damage = [&](std::size_t at) {
    for (const char value : {'\0', '\xff'}) {
      std::string bytes = sound;
      bytes[at] = value;
      refused += allocators::why_not_an_allocator(file("damaged.so", bytes)).has_value() ? 1 : 0;
    }
  };
  for (std::size_t at = 0; at < sizeof header; ++at) {
    damage(at);
  }
  for (std::size_t at = header.e_shoff; at < std::min(sound.size(), header.e_shoff + 6 * sizeof(Elf64_Shdr)); ++at) {
    damage(at);
  }
  EXPECT_GT(refused, 50);
}

TEST(Nearest, RanksByEdits) {
  const std::vector<std::string> known = {"larson", "pareto-slots", "pair", "swap"};
  EXPECT_THAT(allocators::nearest("larsen", known), ElementsAre("larson"));
  EXPECT_THAT(allocators::nearest("pare", known), testing::Contains("pareto-slots"));
  EXPECT_THAT(allocators::nearest("qqqqqqqq", known), IsEmpty());
}

TEST(KnownAllocators, HaveUniqueNamesAndAWayToGetThem) {
  std::vector<std::string> names;
  for (const auto& known : allocators::known_allocators()) {
    EXPECT_THAT(names, testing::Not(testing::Contains(known.name)));
    names.push_back(known.name);
    EXPECT_FALSE(known.summary.empty()) << known.name;
    EXPECT_EQ(known.package.empty(), known.role != Role::kProduction) << known.name;
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"osmem", "glibc", "jemalloc", "mimalloc", "tcmalloc", "limit"}));
}

// The C library is loaded in every process, so its adapter can be asked here.
TEST(LoadedAllocator, ReadsTheCLibrary) {
  const auto allocator = allocators::loaded_allocator({});
  EXPECT_THAT(allocator.version(), testing::StartsWith("2."));
  EXPECT_NE(allocator.entry_points().aligned_alloc, nullptr);
  EXPECT_EQ(allocator.library().function<void()>("no_such_function"), nullptr);
  const auto before = allocator.stats();
  ASSERT_TRUE(before && before->allocated_bytes);
  void* volatile block = allocator.entry_points().malloc(1 << 20);
  const auto after = allocator.stats();
  EXPECT_GE(*after->allocated_bytes, *before->allocated_bytes + (1 << 20));
  allocator.entry_points().free(block);
  EXPECT_TRUE(allocator.purge());
}

TEST(LoadedAllocator, RefusesALibraryThatIsNotLoaded) {
  EXPECT_THROW(allocators::loaded_allocator("/nowhere/libnone.so"), std::runtime_error);
}

}  // namespace

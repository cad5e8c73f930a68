// Proves that the example programs, compiled as C against the public headers, say what they should;
// that libraries export their interface and need the C library alone; and that sqlite3, git and
// python3 give the same output under each drop-in as under the C library. Does not prove: the
// drop-in surface call by call (tests/interpose).
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

namespace {

struct Result {
  int status = -1;
  std::string output;
};

Result shell(const std::string& command) {
  Result result;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    result.output.append(buffer.data(), got);
  }
  result.status = pclose(pipe);
  return result;
}

std::string library(const std::string& name) {
  return std::string(BUILD_LIBRARIES) + "/lib" + name + ".so";
}

Result example(const std::string& name) {
  return shell(std::string(BUILD_EXAMPLES) + "/" + name + " 2>&1");
}

TEST(Example, ClassicListReusesAndMaps) {
  const Result result = example("classic_list");
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "grows without moving: yes\na mebibyte has a mapping of its own: yes\n");
}

TEST(Example, FreelistCopiesAndReusesTheLastFreed) {
  const Result result = example("freelist_copy");
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "copied: 0 33\nthe block freed last serves first: yes\n");
}

TEST(Example, AltmemReportsLeaksWhenAskedAndAtExit) {
  const Result result = shell(std::string(BUILD_EXAMPLES) +
                              "/altmem_leak 2>&1 >/dev/null | sed 's/0x[0-9a-f]*/ADDRESS/'");
  EXPECT_EQ(result.output,
            "altmem: not freed: 24 bytes at ADDRESS\n"
            "altmem: not freed: 1000000 bytes at ADDRESS (mapping)\n"
            "altmem: not freed in all: 2 blocks, 1000024 bytes\n"
            "altmem: not freed: 24 bytes at ADDRESS\n"
            "altmem: not freed in all: 1 block, 24 bytes\n");
  EXPECT_EQ(example("altmem_leak").status, 0);
}

// The snapshot of an allocator after the step with this label, from trace_heap's dump.
std::string snapshot(const std::string& dump, const std::string& allocator,
                     const std::string& label) {
  const std::string head = "\"allocator\": \"" + allocator + "\"";
  const std::string step = "\"label\": \"" + label + "\"";
  for (std::size_t at = dump.find(head); at != std::string::npos; at = dump.find(head, at + 1)) {
    const std::size_t line_end = dump.find('\n', at);
    if (dump.find(step, at) < line_end) {
      return dump.substr(line_end + 1, dump.find("\"heap\"", line_end) - line_end);
    }
  }
  return "";
}

std::size_t free_blocks(const std::string& snapshot) {
  std::size_t count = 0;
  for (std::size_t at = snapshot.find("\"free\""); at != std::string::npos;
       at = snapshot.find("\"free\"", at + 1)) {
    ++count;
  }
  return count;
}

TEST(Example, TraceHeapShowsWhenNeighboursMerge) {
  const Result result = example("trace_heap");
  ASSERT_EQ(result.status, 0);
  EXPECT_EQ(free_blocks(snapshot(result.output, "osmem-classic", "free(b)")), 4u);
  EXPECT_EQ(free_blocks(snapshot(result.output, "altmem", "free(b)")), 2u);
  EXPECT_EQ(free_blocks(snapshot(result.output, "freelist", "free(b)")), 3u);
}

struct Interface {
  const char* library;
  const char* names;
};

class Library : public testing::TestWithParam<Interface> {};

TEST_P(Library, ExportsItsInterfaceAndNothingElse) {
  const Result names = shell("nm -D --defined-only " + library(GetParam().library) +
                             " | awk '{print $3}' | sort | xargs");
  EXPECT_EQ(names.output, std::string(GetParam().names) + "\n");
}

TEST_P(Library, NeedsTheCLibraryAlone) {
  const Result needed = shell("readelf -d " + library(GetParam().library) +
                              " | sed -n 's/.*NEEDED.*\\[\\(.*\\)\\]/\\1/p'");
  EXPECT_EQ(needed.output, "libc.so.6\n");
}

INSTANTIATE_TEST_SUITE_P(
    , Library,
    testing::Values(
        Interface{"osmem-classic", "os_calloc os_free os_malloc os_realloc"},
        Interface{"osmem-freelist", "defalloc memalloc memdup memfree memoryset memresize"},
        Interface{"osmem-altmem", "alt_calloc alt_check_leaks alt_free alt_malloc alt_realloc"}),
    [](const auto& instance) {
      std::string name = instance.param.library;
      return name.substr(name.find('-') + 1);
    });

// An environment: the drop-in and freelist's options.
class DropIn : public testing::TestWithParam<const char*> {
 protected:
  // Runs `script` in a directory of its own, under the C library's malloc and under the drop-in:
  // the outputs.
  static void expect_same(const std::string& program, const std::string& script) {
    if (shell("command -v " + program + " >/dev/null").status != 0) {
      GTEST_SKIP() << program << " is not installed: apt-get install " << program;
    }
    const Result plain = run("", script);
    const Result under = run(environment(), script);
    EXPECT_EQ(plain.status, 0) << plain.output;
    EXPECT_EQ(under.status, 0);
    EXPECT_EQ(plain.output, under.output);
    EXPECT_GT(plain.output.size(), 20u);
  }

  static std::string environment() {
    const std::string words = GetParam();
    const std::string name = words.substr(0, words.find(' '));
    return "LD_PRELOAD=" + library("osmem-" + name + "-malloc") +
           (name == words ? "" : words.substr(name.size()));
  }

 private:
  static Result run(const std::string& variables, const std::string& script) {
    const std::string directory =
        testing::TempDir() + "classic_programs." + std::to_string(getpid());
    const Result result =
        shell("rm -rf " + directory + "; mkdir " + directory + " && cd " + directory +
              " && exec 2>&1; export LC_ALL=C " + variables + "\n" + script);
    shell("rm -rf " + directory);
    return result;
  }
};

TEST_P(DropIn, ServesSqlite) {
  expect_same("sqlite3", R"(sqlite3 data.db <<'SQL'
create table words(id integer primary key, word text, weight real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
  insert into words(word, weight) select printf('%x-%s', i * 7919 % 3001, hex(i)), i / 7.0 from n;
create index by_word on words(word);
select count(*), sum(weight), min(word), max(word) from words;
select substr(word, 1, 2) as head, count(*), group_concat(id) from words group by head order by head limit 40;
update words set word = upper(word) || word where id % 3 = 0;
delete from words where id % 5 = 0;
select a.id, b.id from words a join words b on a.word < b.word and b.id = a.id + 1 order by a.id limit 50;
pragma integrity_check;
SQL
)");
}

TEST_P(DropIn, ServesGit) {
  expect_same("git", R"(
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' HOME=$PWD
git init -q . && git config user.name tester && git config user.email tester@example.org
for i in 1 2 3 4 5; do
  seq 1 $((i * 300)) > numbers; seq $i 3 500 > steps$i; git add . && git commit -q -m "step $i" || exit 1
done
git log --stat --format='%H %s' && git diff HEAD~3 HEAD --numstat && git gc -q && git fsck --full && git blame numbers | tail -3
)");
}

TEST_P(DropIn, ServesPython) {
  expect_same("python3", R"(PYTHONHASHSEED=0 python3 -c '
import json, re, collections, threading, zlib
table = {str(i): [i, i * 1.5, "x" * (i % 50)] for i in range(700)}
text = json.dumps(table)
assert json.loads(text) == table
print(len(text), zlib.crc32(text.encode()))
print(collections.Counter(re.findall(r"[0-9]{2}", text)).most_common(5))
results = []
threads = [threading.Thread(target=lambda n: results.append(sum(len(str(k)) for k in range(n))), args=(n,)) for n in (1000, 2000)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(results), len(bytes(5000000)))
')");
}

TEST_P(DropIn, IsTheMallocOfThePrograms) {
  const std::string name = library(
      "osmem-" + std::string(GetParam()).substr(0, std::string(GetParam()).find(' ')) + "-malloc");
  const Result maps = shell("env " + environment() + " cat /proc/self/maps | grep -c " + name);
  EXPECT_GT(std::stoi(maps.output), 0);
}

TEST(AltmemDropIn, ReportsLeaksOnlyWhenAsked) {
  const std::string preload = "LD_PRELOAD=" + library("osmem-altmem-malloc");
  EXPECT_EQ(shell(preload + " git --version 2>&1 >/dev/null").output, "");
  const std::string told =
      shell("ALTMEM_LEAKS=1 " + preload + " git --version 2>&1 >/dev/null").output;
  EXPECT_NE(told.find("altmem: not freed in all: "), std::string::npos) << told;
}

INSTANTIATE_TEST_SUITE_P(, DropIn,
                         testing::Values("classic", "freelist", "altmem",
                                         "freelist FREELIST_BINS=1",
                                         "freelist FREELIST_GUARDS=1 PYTHONMALLOC=malloc",
                                         "freelist FREELIST_ADAPTIVE=1",
                                         "freelist FREELIST_ALIGNMENT=64 FREELIST_BINS=1"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::erase_if(name, [](char c) { return isalnum(c) == 0; });
                           return name;
                         });

}  // namespace

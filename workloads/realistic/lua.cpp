// lua: a script interpreter that runs small programs.
//
// Question: what does an allocator cost an interpreter whose garbage collector frees strings,
// tables, closures and coroutines in bursts, and grows its arrays by realloc?
//
// Origin: Lua 5.4 with its standard libraries, programs of the kinds that scripts are made of
// (lua_programs.hpp).
//
// Parameters: the collector's mode.
//
// An iteration calls each program once. Each thread has an interpreter of its own; one of the
// programs keeps a cache, so that live data stay between iterations. Lua hashes strings by a seed
// from addresses and the clock: the programs do not depend on it.
#include <cstdint>
#include <lua.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/lua_programs.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

enum Collector : std::int64_t { kIncremental, kGenerational };

// An interpreter with the programs loaded. Used by the thread that made it.
class Interpreter {
 public:
  explicit Interpreter(Collector collector) : state_(luaL_newstate()) {
    if (!state_) {
      throw std::runtime_error("lua: no memory for an interpreter");
    }
    luaL_openlibs(state_.get());
    if (collector == kGenerational) {
      lua_gc(state_.get(), LUA_GCGEN, 0, 0);
    }
    if (luaL_dostring(state_.get(), kLuaPrograms) != LUA_OK) {
      fail();
    }
  }

  // Calls the global function `program` and adds what it returns.
  void call(const char* program, std::int64_t argument, Digest& digest) {
    lua_State* state = state_.get();
    lua_getglobal(state, program);
    lua_pushinteger(state, argument);
    if (lua_pcall(state, 1, 1, 0) != LUA_OK) {
      fail();
    }
    if (lua_isinteger(state, -1) != 0) {
      digest.add(static_cast<std::uint64_t>(lua_tointeger(state, -1)));
    } else {
      std::size_t size_bytes = 0;
      const char* text = lua_tolstring(state, -1, &size_bytes);
      if (text == nullptr) {
        throw std::runtime_error("lua: a program returned neither number nor text");
      }
      digest.add(std::string_view(text, size_bytes));
    }
    lua_pop(state, 1);
  }

 private:
  struct Close {
    void operator()(lua_State* state) const { lua_close(state); }
  };

  [[noreturn]] void fail() {
    throw std::runtime_error(std::string("lua: ") + lua_tostring(state_.get(), -1));
  }

  std::unique_ptr<lua_State, Close> state_;
};

class Lua : public Workload {
 public:
  explicit Lua(const Setup& setup)
      : collector_(static_cast<Collector>(setup["gc"])), seed_(setup.seed()) {}

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    Tally tally;
    Random random(seed_, static_cast<std::uint64_t>(thread_index));
    Interpreter interpreter(collector_);
    while (steps.next()) {
      const auto argument = static_cast<std::int64_t>(random.below(1 << 20));
      for (const char* program : kLuaProgramNames) {
        interpreter.call(program, argument, digest);
      }
    }
    tally.operations = static_cast<std::uint64_t>(steps.total()) * std::size(kLuaProgramNames);
    tally.checksum = digest.value();
    return tally;
  }

 private:
  Collector collector_;
  std::uint64_t seed_;
};

const Registration registration(
    {.name = "lua",
     .question = "What do an interpreter's strings, tables and closures cost, collected in bursts?",
     .origin = "Lua 5.4: text, trees, objects, coroutines, records and a cache",
     .operation = "a call of a Lua program",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters =
         {{"gc", kIncremental, "", "the collector's mode", 0, 1, {"incremental", "generational"}}},
     .smoke_iterations = 3,
     .profile = "rises to a steady 1 MiB, in the collector's sawtooth; half of the blocks up to 47 "
                "bytes, one in four reallocated"},
    [](const Setup& setup) { return std::make_unique<Lua>(setup); });

}  // namespace
}  // namespace workloads

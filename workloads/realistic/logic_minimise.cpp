// logic-minimise: sums of products made small.
//
// Question: what does an allocator cost a program whose every step makes lists of blocks of 8 to 16
// bytes, and drops them in the order in which a recursion returns?
//
// Origin: two-level logic minimisation as Brayton and others describe it (1984): complement, then
// expand, irredundant and reduce in turns until the cover stops shrinking. Written anew here, for
// one output.
//
// Parameters: variables, cubes of a function.
//
// An iteration minimises one random function. The result is proved equal to what it came from: it
// covers every cube of the function, and meets none of its complement. Each thread draws functions
// of its own.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>

#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/logic_cover.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

// One function being minimised.
class Minimiser {
 public:
  Minimiser(Cover on, std::size_t variables)
      : variables_(variables),
        universe_(variables),
        off_(complement(on, universe_, variables)),
        cover_(std::move(on)) {}

  void minimise() {
    expand();
    make_irredundant();
    for (std::size_t cost = cost_of(cover_), last = cost + 1; cost < last;) {
      const Cover best = cover_;
      reduce();
      expand();
      make_irredundant();
      last = std::exchange(cost, cost_of(cover_));
      if (cost > last) {
        cover_ = best;
      }
    }
  }

  [[nodiscard]] const Cover& cover() const { return cover_; }

  // Whether the cover holds every point of `on` and none of its complement.
  [[nodiscard]] bool equals(const Cover& on) const {
    const auto is_covered = [&](const Cube& cube) {
      return covers(cover_, cube, universe_, variables_);
    };
    const auto is_outside = [&](const Cube& cube) { return !meets_off(cube); };
    return std::all_of(on.begin(), on.end(), is_covered) &&
           std::all_of(cover_.begin(), cover_.end(), is_outside);
  }

 private:
  // Cubes first, then literals.
  [[nodiscard]] std::size_t cost_of(const Cover& cover) const {
    std::size_t cost = 0;
    for (const Cube& cube : cover) {
      cost += 1000 + cube.literals(variables_);
    }
    return cost;
  }

  [[nodiscard]] bool meets_off(const Cube& cube) const {
    return std::any_of(off_.begin(), off_.end(),
                       [&](const Cube& other) { return other.distance(cube) == 0; });
  }

  // Drops literals while the cube stays clear of the complement; then the cubes inside others.
  void expand() {
    for (Cube& cube : cover_) {
      for (std::size_t variable = 0; variable < variables_; ++variable) {
        if (cube.literal(variable) == 3) {
          continue;
        }
        Cube raised = cube;
        raised.set_literal(variable, 3);
        if (!meets_off(raised)) {
          cube = std::move(raised);
        }
      }
    }
    Cover kept;
    for (Cube& cube : cover_) {
      const auto holds = [&](const Cube& other) { return other.contains(cube); };
      if (std::none_of(kept.begin(), kept.end(), holds)) {
        std::erase_if(kept, [&](const Cube& other) { return cube.contains(other); });
        kept.push_back(std::move(cube));
      }
    }
    cover_ = std::move(kept);
  }

  // Drops the cubes that the others cover together.
  void make_irredundant() {
    for (std::size_t i = cover_.size(); i-- > 0;) {
      const Cover others = all_but(i);
      if (covers(others, cover_[i], universe_, variables_)) {
        cover_ = others;
      }
    }
  }

  // Shrinks each cube to the smallest one around the points that no other covers, so that the next
  // expansion may take another way.
  void reduce() {
    for (std::size_t i = 0; i < cover_.size(); ++i) {
      const Cover alone =
          complement(cofactor(all_but(i), cover_[i], universe_), universe_, variables_);
      if (alone.empty()) {
        continue;
      }
      Cube smallest = alone.front();
      for (const Cube& cube : alone) {
        smallest.unite(cube);
      }
      cover_[i].intersect(smallest);
    }
  }

  [[nodiscard]] Cover all_but(std::size_t i) const {
    Cover others = cover_;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    return others;
  }

  std::size_t variables_;
  Cube universe_;
  Cover off_;
  Cover cover_;
};

class LogicMinimise : public Workload {
 public:
  explicit LogicMinimise(const Setup& setup)
      : seed_(setup.seed()), variables_(setup.count("variables")), cubes_(setup.count("cubes")) {}

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    Random random(seed_, static_cast<std::uint64_t>(thread_index));
    while (steps.next()) {
      const Cover on = draw_function(random);
      Minimiser minimiser(on, variables_);
      minimiser.minimise();
      if (!minimiser.equals(on)) {
        throw std::runtime_error("logic-minimise: another function");
      }
      for (const Cube& cube : minimiser.cover()) {
        for (const std::uint64_t word : cube.words()) {
          digest.add(word);
        }
      }
    }
    return {static_cast<std::uint64_t>(steps.total()) * cubes_, digest.value()};
  }

 private:
  // Cubes that fix about two variables in three.
  Cover draw_function(Random& random) const {
    Cover cover;
    for (std::size_t i = 0; i < cubes_; ++i) {
      cover.emplace_back(variables_);
      for (std::size_t variable = 0; variable < variables_; ++variable) {
        if (random.chance(2, 3)) {
          cover.back().set_literal(variable, random.chance(1, 2) ? 1 : 2);
        }
      }
    }
    return cover;
  }

  std::uint64_t seed_;
  std::size_t variables_;
  std::size_t cubes_;
};

const Registration registration(
    {.name = "logic-minimise",
     .question = "What do lists of tiny blocks cost, made and dropped as a recursion returns?",
     .origin = "two-level logic minimisation: complement, expand, irredundant, reduce",
     .operation = "a cube minimised",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"variables", 9, "variables", "variables of a function", 2, 64},
                    {"cubes", 40, "cubes", "cubes of a function", 1, 10000}},
     .smoke_iterations = 3,
     .profile =
         "a few KiB; half of the blocks up to 15 bytes; last in, first out for the most part"},
    [](const Setup& setup) { return std::make_unique<LogicMinimise>(setup); });

}  // namespace
}  // namespace workloads

// barnes-hut: the motion of bodies under gravity, by an octree.
//
// Question: none of an allocator, and that is the point: the negative control. What differs here
// between allocators is noise, or placement.
//
// Origin: Barnes and Hut, 1986; the tree's cells live in one vector that is reused from step to
// step.
//
// Parameters: bodies, opening angle.
//
// An iteration is one time step. After the first, a step allocates one array of forces. Each thread
// simulates a system of its own.
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

struct Vector {
  double x = 0;
  double y = 0;
  double z = 0;

  Vector& operator+=(const Vector& other) {
    x += other.x;
    y += other.y;
    z += other.z;
    return *this;
  }
};

Vector operator-(const Vector& a, const Vector& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
Vector operator*(double factor, const Vector& v) {
  return {factor * v.x, factor * v.y, factor * v.z};
}
double squared(const Vector& v) { return v.x * v.x + v.y * v.y + v.z * v.z; }

struct Body {
  Vector position;
  Vector velocity;
  double mass;
};

constexpr std::int32_t kNone = -1;

// A cube of space: empty, with one body, or with children. Indices instead of pointers let the
// vector move.
struct Cell {
  Vector centre;
  double half_width;
  Vector moment{};  // sum of mass * position
  double mass = 0;
  std::int32_t body = kNone;
  std::int32_t children[8] = {kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone};
  bool is_leaf = true;
};

class Octree {
 public:
  // Forgets the last step's tree, but keeps its memory.
  void build(const std::vector<Body>& bodies) {
    cells_.clear();
    cells_.push_back({.centre = {}, .half_width = extent(bodies)});
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      insert(0, static_cast<std::int32_t>(i), bodies, 0);
    }
  }

  // Acceleration at a body; cells that look smaller than `angle` from there count as one mass.
  [[nodiscard]] Vector acceleration(const std::vector<Body>& bodies, std::size_t at,
                                    double angle) const {
    return pull(cells_[0], bodies[at].position, static_cast<std::int32_t>(at), angle);
  }

 private:
  static constexpr int kMaxDepth = 48;  // bodies closer than this share a cell, and feel no force

  static double extent(const std::vector<Body>& bodies) {
    double largest = 1;
    for (const Body& body : bodies) {
      for (const double c : {body.position.x, body.position.y, body.position.z}) {
        largest = std::max(largest, std::abs(c));
      }
    }
    return largest;
  }

  // NOLINTNEXTLINE(misc-no-recursion): the depth is bounded by kMaxDepth
  void insert(std::int32_t cell, std::int32_t body, const std::vector<Body>& bodies, int depth) {
    const Body& added = bodies[static_cast<std::size_t>(body)];
    at(cell).moment += added.mass * added.position;
    at(cell).mass += added.mass;
    if (at(cell).is_leaf && at(cell).body == kNone) {
      at(cell).body = body;
      return;
    }
    if (depth == kMaxDepth) {
      return;
    }
    if (at(cell).is_leaf) {
      at(cell).is_leaf = false;
      const std::int32_t resident = std::exchange(at(cell).body, kNone);
      insert(child_for(cell, resident, bodies), resident, bodies, depth + 1);
    }
    insert(child_for(cell, body, bodies), body, bodies, depth + 1);
  }

  // The child of `cell` whose space holds the body; made if need be.
  std::int32_t child_for(std::int32_t cell, std::int32_t body, const std::vector<Body>& bodies) {
    const Vector& position = bodies[static_cast<std::size_t>(body)].position;
    const Vector centre = at(cell).centre;
    const double half = at(cell).half_width / 2;
    const bool right = position.x >= centre.x;
    const bool up = position.y >= centre.y;
    const bool near = position.z >= centre.z;
    const int octant = (right ? 1 : 0) | (up ? 2 : 0) | (near ? 4 : 0);
    if (at(cell).children[octant] == kNone) {
      at(cell).children[octant] = static_cast<std::int32_t>(cells_.size());
      cells_.push_back(
          {.centre = {centre.x + (right ? half : -half), centre.y + (up ? half : -half),
                      centre.z + (near ? half : -half)},
           .half_width = half});
    }
    return at(cell).children[octant];
  }

  // NOLINTNEXTLINE(misc-no-recursion): the depth is bounded by kMaxDepth
  [[nodiscard]] Vector pull(const Cell& cell, const Vector& from, std::int32_t self,
                            double angle) const {
    if (cell.mass == 0 || cell.body == self) {
      return {};
    }
    constexpr double kSoftening = 1e-4;
    const Vector way = (1 / cell.mass) * cell.moment - from;
    const double distance2 = squared(way) + kSoftening;
    const double width = 2 * cell.half_width;
    if (cell.is_leaf || width * width < angle * angle * distance2) {
      return (cell.mass / (distance2 * std::sqrt(distance2))) * way;
    }
    Vector sum;
    for (const std::int32_t child : cell.children) {
      if (child != kNone) {
        sum += pull(cells_[static_cast<std::size_t>(child)], from, self, angle);
      }
    }
    return sum;
  }

  Cell& at(std::int32_t cell) { return cells_[static_cast<std::size_t>(cell)]; }

  std::vector<Cell> cells_;
};

class BarnesHut : public Workload {
 public:
  explicit BarnesHut(const Setup& setup)
      : bodies_(setup.count("bodies")), angle_(static_cast<double>(setup["angle"]) / 100) {
    Random random(setup.seed());
    for (Body& body : bodies_) {
      body.position = {random.real() - 0.5, random.real() - 0.5, random.real() - 0.5};
      body.velocity = 0.1 * Vector{-body.position.y, body.position.x, random.real() - 0.5};
      body.mass = (0.5 + random.real()) / static_cast<double>(bodies_.size());
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    std::vector<Body> bodies(bodies_.begin(), bodies_.end());
    for (Body& body : bodies) {
      body.mass *= 1.0 + 0.125 * thread_index;
    }
    Octree tree;
    while (steps.next()) {
      step(tree, bodies);
    }
    for (const Body& body : bodies) {
      digest.add(std::bit_cast<std::uint64_t>(body.position.x));
    }
    return {static_cast<std::uint64_t>(steps.total()) * bodies.size(), digest.value()};
  }

 private:
  void step(Octree& tree, std::vector<Body>& bodies) const {
    constexpr double kTimeStep = 0.002;
    tree.build(bodies);
    std::vector<Vector> forces(bodies.size());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      forces[i] = tree.acceleration(bodies, i, angle_);
    }
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      bodies[i].velocity += kTimeStep * forces[i];
      bodies[i].position += kTimeStep * bodies[i].velocity;
    }
  }

  MappedArray<Body> bodies_;
  double angle_;
};

const Registration registration(
    {.name = "barnes-hut",
     .question = "Nothing: the negative control, computing with hardly an allocation",
     .origin = "N-body simulation by octree (Barnes and Hut, 1986), cells in a reused vector",
     .operation = "a body moved by a time step",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"bodies", 1000, "bodies", "bodies of a system", 2, 10000000},
                    {"angle", 70, "1/100", "opening angle", 1, 200}},
     .smoke_iterations = 3,
     .profile = "level at once; one array an iteration, of 24 bytes a body"},
    [](const Setup& setup) { return std::make_unique<BarnesHut>(setup); });

}  // namespace
}  // namespace workloads

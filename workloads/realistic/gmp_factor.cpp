// gmp-factor: composite numbers taken apart.
//
// Question: what does an allocator cost when every step of the arithmetic makes and drops a number
// of a few words?
//
// Origin: GMP through its C++ interface; Pollard's rho with Brent's cycle finding, and the product
// and remainder trees of Bernstein's batch smoothness test.
//
// Parameters: bits of the smaller prime factor, numbers in a batch, bits of a number of the batch.
//
// An iteration factors one product of two primes, and sieves one batch of random numbers for smooth
// ones. Numbers of two to four words are born and die at each step; the trees add blocks that
// double in size to several KiB. Each thread draws numbers of its own.
#include <gmpxx.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr unsigned kSmoothBound = 2000;

mpz_class draw_bits(Random& random, std::size_t bits) {
  mpz_class number = 1;
  for (std::size_t have = 1; have < bits; ++have) {
    number = number * 2 + static_cast<unsigned long>(random.below(2));
  }
  return number;
}

mpz_class draw_prime(Random& random, std::size_t bits) {
  mpz_class prime;
  mpz_nextprime(prime.get_mpz_t(), draw_bits(random, bits).get_mpz_t());
  return prime;
}

// One step of the pseudo-random walk, on a number of its own.
mpz_class step(const mpz_class& x, unsigned long c, const mpz_class& n) {
  const mpz_class square = x * x + c;
  return mpz_class(square % n);
}

// A walk whose cycle modulo an unknown factor is looked for; a fresh constant c makes a fresh walk.
struct Walker {
  mpz_class fixed = 2;
  mpz_class moving = 2;
  mpz_class product = 1;

  // Walks `count` steps, gathering differences; then their common factor with n.
  mpz_class advance(unsigned long count, unsigned long c, const mpz_class& n) {
    for (unsigned long i = 0; i < count; ++i) {
      moving = step(moving, c, n);
      const mpz_class difference = abs(fixed - moving);
      if (difference != 0) {
        product = mpz_class(product * difference) % n;
      }
    }
    return gcd(product, n);
  }
};

// A factor of n that is neither 1 nor n; n is composite.
mpz_class find_factor(const mpz_class& n) {
  constexpr unsigned long kStepsPerGcd = 64;
  for (unsigned long c = 1;; ++c) {
    Walker walker;
    mpz_class factor = 1;
    for (unsigned long length = kStepsPerGcd; factor == 1; length *= 2) {
      walker.fixed = walker.moving;
      for (unsigned long done = 0; done < length && factor == 1; done += kStepsPerGcd) {
        factor = walker.advance(kStepsPerGcd, c, n);
      }
    }
    if (factor != n) {
      return factor;
    }
  }
}

using Level = std::vector<mpz_class>;

// The batch, the products of its pairs, of their pairs, and so on up to the product of all.
std::vector<Level> product_tree(Level batch) {
  std::vector<Level> levels;
  levels.push_back(std::move(batch));
  while (levels.back().size() > 1) {
    const Level& below = levels.back();
    Level above;
    for (std::size_t i = 0; i < below.size(); i += 2) {
      above.push_back(i + 1 < below.size() ? mpz_class(below[i] * below[i + 1]) : below[i]);
    }
    levels.push_back(std::move(above));
  }
  return levels;
}

// `number` modulo each member of the batch, by way of the tree.
Level remainders(const mpz_class& number, const std::vector<Level>& levels) {
  Level above = {number};
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    Level below;
    for (std::size_t i = 0; i < level->size(); ++i) {
      below.push_back(mpz_class(above[i / 2] % (*level)[i]));
    }
    above = std::move(below);
  }
  return above;
}

// The part of x whose prime factors all divide the product that `residue` is the remainder of.
mpz_class smooth_part(mpz_class residue, const mpz_class& x) {
  for (int i = 0; i < 7; ++i) {
    residue = mpz_class(residue * residue) % x;
  }
  return gcd(residue, x);
}

mpz_class product_of_primes_below(unsigned bound) {
  mpz_class product;
  mpz_primorial_ui(product.get_mpz_t(), bound);
  return product;
}

class GmpFactor : public Workload {
 public:
  explicit GmpFactor(const Setup& setup)
      : seed_(setup.seed()),
        factor_bits_(setup.count("bits")),
        batch_(setup.count("batch")),
        batch_bits_(setup.count("batch-bits")) {}

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    Tally tally;
    Random random(seed_, static_cast<std::uint64_t>(thread_index));
    while (steps.next()) {
      factor(random, digest);
      sieve(random, digest);
      tally.operations += 1 + batch_;
    }
    tally.checksum = digest.value();
    return tally;
  }

 private:
  void factor(Random& random, Digest& digest) const {
    const mpz_class n = draw_prime(random, factor_bits_) * draw_prime(random, 3 * factor_bits_);
    const mpz_class found = find_factor(n);
    if (found == 1 || found == n || n % found != 0) {
      throw std::runtime_error("gmp-factor: not a factor");
    }
    digest.add(found.get_str());
    digest.add(mpz_class(n / found).get_str(16));
  }

  void sieve(Random& random, Digest& digest) const {
    Level batch;
    for (std::size_t i = 0; i < batch_; ++i) {
      batch.push_back(draw_bits(random, batch_bits_));
    }
    const std::vector<Level> levels = product_tree(std::move(batch));
    const Level residues = remainders(product_of_primes_below(kSmoothBound), levels);
    for (std::size_t i = 0; i < batch_; ++i) {
      const mpz_class part = smooth_part(residues[i], levels[0][i]);
      if (levels[0][i] % part != 0) {
        throw std::runtime_error("gmp-factor: not a divisor");
      }
      digest.add(part.get_str());
    }
  }

  std::uint64_t seed_;
  std::size_t factor_bits_;
  std::size_t batch_;
  std::size_t batch_bits_;
};

const Registration registration(
    {.name = "gmp-factor",
     .question = "What do numbers of a few words cost that are born and die at each step?",
     .origin = "GMP's C++ interface: Pollard-Brent rho, and Bernstein's batch smoothness test",
     .operation = "a number factored or tested",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"bits", 26, "bits", "size of the smaller prime factor", 8, 60},
                    {"batch", 200, "numbers", "numbers tested together", 1, 1000000},
                    {"batch-bits", 128, "bits", "size of a number of the batch", 8, 65536}},
     .smoke_iterations = 3,
     .profile = "level, tens of KiB; nearly all blocks up to 47 bytes, one in five reallocated; "
                "lives of a step, or of a batch"},
    [](const Setup& setup) { return std::make_unique<GmpFactor>(setup); });

}  // namespace
}  // namespace workloads

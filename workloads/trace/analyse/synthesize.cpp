#include "workloads/trace/analyse/synthesize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>
#include <random>

#include "workloads/trace/analyse/profile.hpp"
#include "workloads/trace/format/reader.hpp"
#include "workloads/trace/format/writer.hpp"

namespace trace {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

// One object of the given trace.
struct Specimen {
  Event birth;
  std::uint64_t birth_call = 0;
  std::uint64_t lifetime = kNever;  // calls between birth and free
  bool sized_free = false;
  bool remote_free = false;
};

// What the given trace shows: objects sampled evenly over it, by birth, and the reallocs.
struct Model {
  static constexpr std::size_t kMaxSpecimens = 1 << 18;
  std::vector<Specimen> objects;
  std::vector<double> growth;  // new over old size of reallocs, sampled evenly
  double reallocs_per_call = 0;
  std::uint64_t calls = 0;
  std::uint64_t births = 0;  // in the trace; there are fewer objects where they were sampled
  std::uint64_t threads = 1;
};

// Keeps an even sample of all that is offered (reservoir sampling).
template <typename T>
class Reservoir {
 public:
  Reservoir(std::vector<T>& kept, std::size_t most, std::mt19937_64& random)
      : kept_(kept), most_(most), random_(random) {}
  void offer(const T& item) {
    ++offered_;
    if (kept_.size() < most_) {
      kept_.push_back(item);
    } else if (const std::uint64_t place = random_() % offered_; place < most_) {
      kept_[static_cast<std::size_t>(place)] = item;
    }
  }

 private:
  std::vector<T>& kept_;
  std::size_t most_;
  std::mt19937_64& random_;
  std::uint64_t offered_ = 0;
};

class Fitter {
 public:
  Fitter(Model& model, std::mt19937_64& random)
      : model_(model),
        objects_(model.objects, Model::kMaxSpecimens, random),
        growth_(model.growth, 1 << 14, random) {}

  void take(const Event& event) {
    if (event.kind == Kind::kThreadStart || event.kind == Kind::kThreadEnd) {
      return;
    }
    if (event.slot >= live_.size()) {
      live_.resize(event.slot + std::size_t{1});
    }
    Object& object = live_[event.slot];
    if (allocates(event.kind)) {
      object = {event, calls_, event.bytes(), event.thread, true};
      ++model_.births;
    } else if (event.kind == Kind::kRealloc) {
      ++reallocs_;
      if (object.bytes > 0) {
        growth_.offer(static_cast<double>(event.size) / static_cast<double>(object.bytes));
      }
      object.bytes = event.size;
      object.thread = event.thread;
    } else {
      objects_.offer({object.birth, object.birth_call, calls_ - object.birth_call - 1,
                      event.kind == Kind::kFreeSized, object.thread != event.thread});
      object.live = false;
    }
    ++calls_;
  }
  void finish(const Totals& totals) {
    for (const Object& object : live_) {
      if (object.live) {
        objects_.offer({object.birth, object.birth_call, kNever, false, false});
      }
    }
    std::sort(model_.objects.begin(), model_.objects.end(),
              [](const Specimen& a, const Specimen& b) { return a.birth_call < b.birth_call; });
    model_.threads = totals.threads;
    model_.calls = calls_;
    model_.reallocs_per_call =
        calls_ == 0 ? 0 : static_cast<double>(reallocs_) / static_cast<double>(calls_);
  }

 private:
  struct Object {
    Event birth;
    std::uint64_t birth_call = 0;
    std::uint64_t bytes = 0;
    std::uint32_t thread = 0;
    bool live = false;
  };
  Model& model_;
  Reservoir<Specimen> objects_;
  Reservoir<double> growth_;
  std::vector<Object> live_;  // by slot
  std::uint64_t calls_ = 0;
  std::uint64_t reallocs_ = 0;
};

// Draws objects from the model, and frees each when its lifetime is over.
class Generator {
 public:
  Generator(const Model& model, Writer& writer, std::mt19937_64& random)
      : model_(model), writer_(writer), random_(random) {
    for (std::uint64_t i = 1; i < model.threads; ++i) {
      writer_.thread_start(0);
    }
  }
  void run(std::uint64_t calls) {
    // A shorter trace goes through all phases of the given one, too, with fewer objects in each.
    const double share =
        std::min(1.0, static_cast<double>(calls) / static_cast<double>(model_.calls));
    round_births_ = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(share * static_cast<double>(model_.births)));
    for (std::uint64_t call = 0; call < calls && !writer_.full(); ++call) {
      writer_.set_time(call / kCallsPerMicrosecond);
      if (!deaths_.empty() && deaths_.top().call <= call) {
        die();
      } else if (!chance(model_.reallocs_per_call) || !reallocate()) {
        give_birth(call);
      }
    }
    for (std::uint64_t i = 1; i < model_.threads; ++i) {
      writer_.thread_end(static_cast<std::uint32_t>(i));
    }
  }

 private:
  static constexpr std::uint64_t kCallsPerMicrosecond =
      10;  // a clock of its own: lifetimes are in calls
  struct Death {
    std::uint64_t call;
    std::uint32_t slot;
    std::uint32_t thread;
    bool sized;
    friend bool operator<(const Death& a, const Death& b) { return a.call > b.call; }
  };

  bool chance(double probability) {
    return std::generate_canonical<double, 53>(random_) < probability;
  }

  // One that was born at about this point of the given trace.
  const Specimen& draw() {
    const std::uint64_t count = model_.objects.size();
    const std::uint64_t reach = std::max<std::uint64_t>(1, count / 100);
    const std::uint64_t at = (births_++ % round_births_) * count / round_births_;
    const std::uint64_t first = at > reach / 2 ? at - reach / 2 : 0;
    const std::uint64_t last = std::min(first + reach, count);
    return model_.objects[static_cast<std::size_t>(first + random_() % (last - first))];
  }

  void give_birth(std::uint64_t call) {
    const Specimen& specimen = draw();
    const std::uint32_t thread = specimen.birth.thread;
    std::uint32_t slot = 0;
    switch (specimen.birth.kind) {
      case Kind::kCalloc:
        slot = writer_.calloc(thread, specimen.birth.count, specimen.birth.size);
        break;
      case Kind::kAlignedAlloc:
      case Kind::kPosixMemalign:
        slot = writer_.aligned(thread, specimen.birth.kind, specimen.birth.alignment_log2,
                               specimen.birth.size);
        break;
      default:
        slot = writer_.malloc(thread, specimen.birth.size);
        break;
    }
    if (specimen.lifetime != kNever) {
      deaths_.push(
          {call + 1 + specimen.lifetime, slot, freeing_thread(specimen), specimen.sized_free});
    }
    by_age_.push_back({slot, thread});
  }
  std::uint32_t freeing_thread(const Specimen& specimen) {
    const auto threads = static_cast<std::uint32_t>(model_.threads);
    const std::uint32_t own = specimen.birth.thread;
    return specimen.remote_free && threads > 1
               ? (own + 1 + static_cast<std::uint32_t>(random_() % (threads - 1))) % threads
               : own;
  }
  void die() {
    const Death death = deaths_.top();
    deaths_.pop();
    writer_.release(death.thread, death.sized ? Kind::kFreeSized : Kind::kFree, death.slot);
  }
  // A young object: that is what programs grow. False if the one drawn is gone.
  bool reallocate() {
    constexpr std::uint64_t kYoung = 16;
    while (!by_age_.empty() && !writer_.slots().live(by_age_.back().slot)) {
      by_age_.pop_back();
    }
    if (by_age_.empty() || model_.growth.empty()) {
      return false;
    }
    const std::size_t back =
        static_cast<std::size_t>(random_() % std::min<std::uint64_t>(kYoung, by_age_.size()));
    const auto [slot, thread] = by_age_[by_age_.size() - 1 - back];
    if (!writer_.slots().live(slot)) {
      return false;
    }
    constexpr double kMostBytes = 1 << 30;
    const double bytes = static_cast<double>(writer_.slots().bytes(slot)) *
                         model_.growth[random_() % model_.growth.size()];
    writer_.realloc(thread, slot, static_cast<std::uint64_t>(std::min(bytes, kMostBytes)));
    return true;
  }

  const Model& model_;
  Writer& writer_;
  std::mt19937_64& random_;
  std::priority_queue<Death> deaths_;
  struct Born {
    std::uint32_t slot, thread;
  };
  std::vector<Born> by_age_;  // the youngest last; some are free again
  std::uint64_t births_ = 0;
  std::uint64_t round_births_ = 1;  // after so many, the phases begin again
};

template <typename Row>
double ks_distance(const Row& a, const Row& b) {
  const double all_a =
      std::max(1.0, static_cast<double>(std::accumulate(a.begin(), a.end(), std::uint64_t{0})));
  const double all_b =
      std::max(1.0, static_cast<double>(std::accumulate(b.begin(), b.end(), std::uint64_t{0})));
  double sum_a = 0, sum_b = 0, most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum_a += static_cast<double>(a[i]) / all_a;
    sum_b += static_cast<double>(b[i]) / all_b;
    most = std::max(most, std::abs(sum_a - sum_b));
  }
  return most;
}

std::array<std::uint64_t, kLifetimeBuckets> lifetimes_of(const Profile& profile) {
  std::array<std::uint64_t, kLifetimeBuckets> out{};
  for (const auto& row : profile.lifetimes) {
    for (unsigned i = 0; i < kLifetimeBuckets; ++i) {
      out[i] += row[i];
    }
  }
  return out;
}

double total_variation(const Profile& a, const Profile& b) {
  const auto all = [](const Profile& p) {
    return std::max(
        1.0, static_cast<double>(p.frees + std::accumulate(p.never_freed.begin(),
                                                           p.never_freed.end(), std::uint64_t{0})));
  };
  double sum = 0;
  for (unsigned size = 0; size < kSizeBuckets; ++size) {
    for (unsigned life = 0; life < kLifetimeBuckets; ++life) {
      sum += std::abs(static_cast<double>(a.lifetimes[size][life]) / all(a) -
                      static_cast<double>(b.lifetimes[size][life]) / all(b));
    }
    sum += std::abs(static_cast<double>(a.never_freed[size]) / all(a) -
                    static_cast<double>(b.never_freed[size]) / all(b));
  }
  return sum / 2;
}

Profile profile_of(const std::filesystem::path& path) {
  Reader reader(path);
  return make_profile(reader);
}

}  // namespace

Synthesis synthesize(const std::filesystem::path& given, const std::filesystem::path& out,
                     const SynthesizeOptions& options) {
  std::mt19937_64 random(options.seed);
  Model model;
  Reader reader(given);
  Fitter fitter(model, random);
  while (const std::optional<Event> event = reader.next()) {
    fitter.take(*event);
  }
  Synthesis synthesis;
  synthesis.given = reader.totals();
  fitter.finish(synthesis.given);
  if (model.objects.empty()) {
    throw TraceError(given.string() + ": has no allocation to learn from");
  }
  Writer::Options writer_options;
  writer_options.info = "program=" + reader.info_value("program") +
                        " (synthetic)\nnote=synthesised from " + given.filename().string() +
                        ", seed " + std::to_string(options.seed) + "\n";
  Writer writer(out, writer_options);
  Generator(model, writer, random)
      .run(options.events == 0 ? synthesis.given.events : options.events);
  synthesis.made = writer.finish();
  const Profile before = profile_of(given);
  const Profile after = profile_of(out);
  synthesis.distance = {ks_distance(before.sizes, after.sizes),
                        ks_distance(lifetimes_of(before), lifetimes_of(after)),
                        total_variation(before, after)};
  return synthesis;
}

std::string describe(const Synthesis& synthesis, const std::filesystem::path& out) {
  const auto line = [](const char* label, const Totals& totals) {
    return fmt::format(
        "  {:<8} {:>12} events, {:>10} live at the peak in {} objects, {} thread{}\n", label,
        totals.events, human_bytes(static_cast<double>(totals.peak_live_bytes)),
        totals.peak_live_objects, totals.threads, totals.threads == 1 ? "" : "s");
  };
  constexpr double kFar = 0.1;
  const bool too_short =
      synthesis.made.events < synthesis.given.events && synthesis.distance.lifetimes > kFar;
  return out.string() + "\n" + line("given", synthesis.given) + line("made", synthesis.made) +
         fmt::format(
             "distance (0 equal, 1 nothing in common): sizes {:.3f}, lifetimes {:.3f} (largest gap "
             "of the distributions), "
             "size x lifetime {:.3f} (total variation)\n{}",
             synthesis.distance.sizes, synthesis.distance.lifetimes, synthesis.distance.joint,
             too_short ? "the lifetimes of the given trace do not fit into so few events\n" : "");
}

}  // namespace trace

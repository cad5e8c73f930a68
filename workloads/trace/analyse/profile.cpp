#include "workloads/trace/analyse/profile.hpp"

#include <algorithm>
#include <cmath>

namespace trace {
namespace {

// Keeps the highest point of every so many events, so that no peak is lost, and of twice as many
// events whenever there are too many points. The last point is kept in any case.
class Timeline {
 public:
  explicit Timeline(std::vector<Profile::Point>& points) : points_(points) {}
  void take(const Profile::Point& point) {
    last_ = point;
    highest_ = higher(highest_, point);
    if (point.event % every_ != 0) {
      return;
    }
    points_.push_back(highest_);
    highest_ = {};
    if (points_.size() >= Profile::kMaxPoints) {
      for (std::size_t i = 0; i < points_.size() / 2; ++i) {
        points_[i] = higher(points_[2 * i], points_[2 * i + 1]);
      }
      points_.resize(points_.size() / 2);
      every_ *= 2;
    }
  }
  void finish() {
    if (highest_.event != 0) {
      points_.push_back(highest_);
    }
    if (last_.event != 0 && points_.back().event != last_.event) {
      points_.push_back(last_);
    }
  }

 private:
  // The first of equals, unless it is none.
  static const Profile::Point& higher(const Profile::Point& a, const Profile::Point& b) {
    return a.event == 0 || b.live_bytes > a.live_bytes ? b : a;
  }

  std::vector<Profile::Point>& points_;
  std::uint64_t every_ = 1;
  Profile::Point highest_{};  // since the last one was kept
  Profile::Point last_{};
};
static_assert(Profile::kMaxPoints % 2 == 0);

class Profiler {
 public:
  explicit Profiler(Profile& profile) : profile_(profile) { profile_.threads.resize(1); }

  // `before_bytes`: of the object before the event.
  void take(const Event& event, std::uint64_t before_bytes) {
    ++profile_.kinds[static_cast<std::size_t>(event.kind)];
    ++profile_.threads[event.thread].events;
    if (event.kind == Kind::kThreadStart) {
      profile_.threads.emplace_back();
    } else if (allocates(event.kind)) {
      born(event);
    } else if (event.kind == Kind::kRealloc) {
      reallocated(event, before_bytes);
    } else if (releases(event.kind)) {
      freed(event, before_bytes);
    }
  }
  void finish(const Slots& slots) {
    for (std::uint32_t slot = 0; slot < slots.size(); ++slot) {
      profile_.never_freed[log2_bucket(slots.live(slot) ? slots.bytes(slot) : 0)] +=
          slots.live(slot);
    }
  }

 private:
  struct Object {
    std::uint64_t birth_call;
    std::uint32_t thread;  // that allocated or reallocated it last
  };

  void born(const Event& event) {
    if (event.slot >= objects_.size()) {
      objects_.resize(event.slot + std::size_t{1});
    }
    objects_[event.slot] = {calls_++, event.thread};
    ++profile_.sizes[log2_bucket(event.bytes())];
    profile_.size_bytes[log2_bucket(event.bytes())] += event.bytes();
    profile_.allocated_bytes += event.bytes();
    ++profile_.threads[event.thread].allocations;
  }
  void reallocated(const Event& event, std::uint64_t before_bytes) {
    ++calls_;
    Object& object = objects_[event.slot];
    auto& reallocs = profile_.reallocs;
    reallocs.remote += object.thread != event.thread;
    object.thread = event.thread;
    ++profile_.threads[event.thread].allocations;
    if (event.size > before_bytes) {
      ++reallocs.grew;
      profile_.allocated_bytes += event.size - before_bytes;
      if (before_bytes > 0) {
        ++reallocs.grown_from_some;
        reallocs.log2_growth +=
            std::log2(static_cast<double>(event.size) / static_cast<double>(before_bytes));
      }
    } else {
      ++(event.size < before_bytes ? reallocs.shrank : reallocs.same);
    }
  }
  void freed(const Event& event, std::uint64_t before_bytes) {
    const Object& object = objects_[event.slot];
    const unsigned lifetime =
        std::min(log2_bucket(calls_ - object.birth_call - 1), kLifetimeBuckets - 1);
    ++profile_.lifetimes[log2_bucket(before_bytes)][lifetime];
    ++profile_.frees;
    ++profile_.threads[event.thread].frees;
    if (object.thread != event.thread) {
      ++profile_.remote_frees;
      ++profile_.threads[event.thread].remote_frees;
    }
    ++calls_;
  }

  Profile& profile_;
  std::vector<Object> objects_;  // by slot
  std::uint64_t calls_ = 0;
};

}  // namespace

Profile make_profile(Reader& reader) {
  Profile profile;
  profile.info = reader.info();
  profile.file_bytes = reader.file_bytes();
  Profiler profiler(profile);
  Timeline timeline(profile.timeline);
  std::vector<std::uint64_t>
      bytes;  // by slot, before the event: the reader's own state is that after it
  std::uint64_t events = 0;
  while (const std::optional<Event> event = reader.next()) {
    if (event->slot >= bytes.size() && event->kind != Kind::kThreadStart) {
      bytes.resize(event->slot + std::size_t{1});
    }
    const bool has_object = event->kind != Kind::kThreadStart && event->kind != Kind::kThreadEnd;
    profiler.take(*event, has_object ? bytes[event->slot] : 0);
    if (has_object) {
      bytes[event->slot] = event->bytes();
    }
    timeline.take(
        {event->time_us, ++events, reader.slots().live_bytes(), reader.slots().live_objects()});
  }
  timeline.finish();
  profiler.finish(reader.slots());
  profile.totals = reader.totals();
  profile.truncated = reader.truncated();
  return profile;
}

}  // namespace trace

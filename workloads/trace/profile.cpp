#include "workloads/trace/profile.hpp"

#include <algorithm>
#include <cmath>

namespace trace {
namespace {

// Takes a point every so many events, and twice as many events whenever there are too many points.
class Timeline {
 public:
  explicit Timeline(std::vector<Profile::Point>& points) : points_(points) {}
  void take(const Profile::Point& point) {
    last_ = point;
    if (point.event % every_ != 0) {
      return;
    }
    points_.push_back(point);
    if (points_.size() >= Profile::kMaxPoints) {
      std::size_t kept = 0;
      for (std::size_t i = 1; i < points_.size(); i += 2) {
        points_[kept++] = points_[i];
      }
      points_.resize(kept);
      every_ *= 2;
    }
  }
  void finish() {
    if (last_.event != 0 && (points_.empty() || points_.back().event != last_.event)) {
      points_.push_back(last_);
    }
  }

 private:
  std::vector<Profile::Point>& points_;
  std::uint64_t every_ = 1;
  Profile::Point last_{};
};

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

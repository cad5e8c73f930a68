// rocksdb: a key-value store that writes, reads, scans, flushes and compacts.
//
// Question: what does an allocator cost a storage engine: arenas for tables in memory, blocks that
// a cache keeps and drops, strings for every read, and blocks that one thread allocates and a
// background thread frees?
//
// Origin: RocksDB with small tables, so that it flushes and compacts all the time; its own file
// system in memory.
//
// Parameters: keys a thread, the size of values.
//
// An iteration writes a batch, reads keys of which some are gone, and scans a range. All threads
// share one database; each has keys of its own, so that what it reads does not depend on the
// others. The files are strings in the measured heap. Flushes and compactions run on threads of
// RocksDB's: how many are under way at the peak varies.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kWritesPerIteration = 100;
constexpr std::size_t kReadsPerIteration = 100;
constexpr std::size_t kRowsPerScan = 50;

void check(const rocksdb::Status& status) {
  if (!status.ok()) {
    throw std::runtime_error("rocksdb: " + status.ToString());
  }
}

rocksdb::Options make_options(rocksdb::Env* files) {
  rocksdb::BlockBasedTableOptions tables;
  tables.block_cache = rocksdb::NewLRUCache(std::size_t{2} << 20);
  tables.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::Options options;
  options.create_if_missing = true;
  options.env = files;
  options.write_buffer_size = std::size_t{512} << 10;
  options.target_file_size_base = std::size_t{512} << 10;
  options.max_bytes_for_level_base = std::size_t{2} << 20;
  options.compression = rocksdb::kNoCompression;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(tables));
  options.max_background_jobs = 2;
  options.info_log_level = rocksdb::ERROR_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

// The database and the files under it. Thread-safe, as RocksDB is.
class Store {
 public:
  Store() : files_(rocksdb::NewMemEnv(rocksdb::Env::Default())) {
    rocksdb::DB* opened = nullptr;
    check(rocksdb::DB::Open(make_options(files_.get()), "/store", &opened));
    database_.reset(opened);
  }
  [[nodiscard]] rocksdb::DB& database() { return *database_; }

 private:
  std::unique_ptr<rocksdb::Env> files_;  // outlives the database
  std::unique_ptr<rocksdb::DB> database_;
};

// One thread's share of the work: its keys, and what is done with them.
class Client {
 public:
  Client(rocksdb::DB& database, int thread_index, const Setup& setup, const MappedText& values)
      : database_(database),
        thread_index_(thread_index),
        key_count_(setup.count("keys")),
        value_bytes_(setup.count("value")),
        values_(values),
        random_(setup.seed(), static_cast<std::uint64_t>(thread_index) + 1) {}

  void fill() {
    for (std::size_t first = 0; first < key_count_; first += kWritesPerIteration) {
      rocksdb::WriteBatch batch;
      for (std::size_t i = first; i < first + kWritesPerIteration && i < key_count_; ++i) {
        check(batch.Put(key(i).data(), draw_value()));
      }
      check(database_.Write({}, &batch));
    }
  }

  // Overwrites most of the keys that it draws, and deletes one in eight.
  void write() {
    rocksdb::WriteBatch batch;
    for (std::size_t i = 0; i < kWritesPerIteration; ++i) {
      const Key drawn = key(random_.below(key_count_));
      check(random_.chance(1, 8) ? batch.Delete(drawn.data())
                                 : batch.Put(drawn.data(), draw_value()));
    }
    check(database_.Write({}, &batch));
  }

  void read(Digest& digest) {
    for (std::size_t i = 0; i < kReadsPerIteration; ++i) {
      std::string value;
      const auto status = database_.Get({}, key(random_.below(key_count_)).data(), &value);
      if (!status.IsNotFound()) {
        check(status);
      }
      digest.add(value);
    }
  }

  // Rows from a key on, up to the last key of this thread.
  void scan(Digest& digest) {
    const Key last = key(key_count_);
    const rocksdb::Slice end(last.data());
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> row(database_.NewIterator(options));
    std::size_t rows = 0;
    for (row->Seek(key(random_.below(key_count_)).data()); row->Valid() && rows < kRowsPerScan;
         row->Next(), ++rows) {
      digest.add(row->key().ToStringView());
      digest.add(row->value().ToStringView());
    }
    check(row->status());
  }

 private:
  using Key = std::array<char, 32>;

  [[nodiscard]] Key key(std::size_t number) const {
    Key text;
    std::snprintf(text.data(), text.size(), "user%04d:%012zu", thread_index_, number);
    return text;
  }

  rocksdb::Slice draw_value() {
    const std::size_t size_bytes = random_.between(value_bytes_ / 2, value_bytes_ * 3 / 2);
    const std::size_t start = random_.below(values_.size() - size_bytes);
    return {values_.view().data() + start, size_bytes};
  }

  rocksdb::DB& database_;
  int thread_index_;
  std::size_t key_count_;
  std::size_t value_bytes_;
  const MappedText& values_;
  Random random_;
};

class Rocksdb : public Workload {
 public:
  explicit Rocksdb(const Setup& setup) : setup_(setup) {
    Random random(setup.seed());
    append_words(values_, random, std::size_t{64} << 10);
  }

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    const std::shared_ptr<Store> store = enter();
    Client client(store->database(), thread_index, setup_, values_);
    client.fill();
    while (steps.next()) {
      client.write();
      client.read(digest);
      client.scan(digest);
    }
    constexpr std::uint64_t kPerIteration = kWritesPerIteration + kReadsPerIteration + 1;
    return {static_cast<std::uint64_t>(steps.total()) * kPerIteration, digest.value()};
  }

 private:
  // The first thread opens the database; it is closed when the last one lets go of it.
  std::shared_ptr<Store> enter() {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Store> store = store_.lock();
    if (!store) {
      store_ = store = std::make_shared<Store>();
    }
    return store;
  }

  Setup setup_;
  MappedText values_;
  std::mutex mutex_;
  std::weak_ptr<Store> store_;  // guarded by mutex_
};

const Registration registration(
    {.name = "rocksdb",
     .question = "What does a storage engine cost that flushes and compacts behind its readers?",
     .origin = "RocksDB on files in memory: batches, reads, scans, compaction on its own threads",
     .operation = "a write, a read or a scan",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"keys", 5000, "keys", "keys of each thread", 1, 100000000},
                    {"value", 200, "bytes", "mean size of a value", 2, 65536}},
     .smoke_iterations = 20,
     .profile = "tables in memory fill and drop, some MiB a thread; half of the blocks up to 31 "
                "bytes, the largest 700 KiB; flushes and compactions free remotely"},
    [](const Setup& setup) { return std::make_unique<Rocksdb>(setup); });

}  // namespace
}  // namespace workloads

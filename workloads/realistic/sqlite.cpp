// sqlite: an order-processing database in memory.
//
// Question: what does an allocator cost a database engine - pages of 4 KiB that stay, and for each
// statement a parse tree, a program, cursors, sorters and strings that live for microseconds?
//
// Origin: the usual shop schema of database benchmarks (customers, products, orders and their
// lines), driven as an application does: orders go in through prepared statements, reports are
// prepared anew each time.
//
// Parameters: orders a day, days kept, customers, products.
//
// An iteration is one day of trade: a transaction that inserts the orders, five reports that join,
// group, sort and format text, and the deletion of the day that has fallen out of the window; so
// the database reaches a steady size. Each thread has a connection of its own. SQLite's memory
// statistics are off, as its manual advises for threads: they would put one lock around every
// allocation. Debian builds SQLite without lookaside buffers: every small object is a malloc.
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kLinesPerOrder = 3;
constexpr std::size_t kDrawnDays = 32;  // then the draws repeat

constexpr const char* kSchema = R"sql(
  CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL);
  CREATE TABLE products(id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
                        category TEXT NOT NULL, price_cents INTEGER NOT NULL);
  CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, day INTEGER NOT NULL,
                      status TEXT NOT NULL, note TEXT);
  CREATE TABLE lines(order_id INTEGER NOT NULL, product_id INTEGER NOT NULL,
                     quantity INTEGER NOT NULL, price_cents INTEGER NOT NULL);
  CREATE INDEX customers_by_name ON customers(name);
  CREATE INDEX orders_by_day ON orders(day);
  CREATE INDEX orders_by_customer ON orders(customer_id);
  CREATE INDEX lines_by_order ON lines(order_id);
)sql";

// ?1 is the day. Every report ends in a total order, so that its digest does not depend on the
// plan.
constexpr const char* kReports[] = {
    R"sql(SELECT c.name, count(DISTINCT o.id), sum(l.quantity * l.price_cents) AS total
          FROM orders o JOIN customers c ON c.id = o.customer_id JOIN lines l ON l.order_id = o.id
          WHERE o.day = ?1 GROUP BY c.id HAVING total > 1000 ORDER BY total DESC, c.id LIMIT 20)sql",
    R"sql(SELECT p.category, group_concat(upper(substr(p.title, 1, 6)), '/'), count(*)
          FROM (SELECT DISTINCT l.product_id AS id FROM lines l JOIN orders o ON o.id = l.order_id
                WHERE o.day = ?1 ORDER BY 1) s JOIN products p ON p.id = s.id
          GROUP BY p.category ORDER BY p.category)sql",
    R"sql(SELECT printf('%06d', o.id), replace(trim(o.note), ' ', '_'), length(o.note)
          FROM orders o WHERE o.day = ?1 AND o.note LIKE '%copper%' ORDER BY o.note, o.id)sql",
    R"sql(WITH daily(customer, day, cents) AS (
            SELECT o.customer_id, o.day, sum(l.quantity * l.price_cents)
            FROM orders o JOIN lines l ON l.order_id = o.id
            WHERE o.day BETWEEN ?1 - 1 AND ?1 GROUP BY 1, 2)
          SELECT customer, day, sum(cents) OVER (PARTITION BY customer ORDER BY day)
          FROM daily ORDER BY customer, day LIMIT 40)sql",
    R"sql(SELECT city, count(*), min(name), max(name) FROM customers
          WHERE name >= char(97 + ?1 % 20) AND name < char(99 + ?1 % 20)
          GROUP BY city ORDER BY 2 DESC, city)sql",
};

[[noreturn]] void fail(sqlite3* database, std::string_view what) {
  const char* reason = database != nullptr ? sqlite3_errmsg(database) : "no connection";
  throw std::runtime_error("sqlite: " + std::string(what) + ": " + reason);
}

// A connection to a database in memory of its own, with the schema in it. Owns the connection.
class Database {
 public:
  Database() {
    if (sqlite3_open(":memory:", &handle_) != SQLITE_OK) {
      fail(handle_, "open");
    }
    execute(kSchema);
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* sql) {
    if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      fail(handle_, sql);
    }
  }
  [[nodiscard]] std::int64_t last_row() const { return sqlite3_last_insert_rowid(handle_); }
  [[nodiscard]] sqlite3* handle() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

// One compiled statement. Owns it; belongs to the connection that it was made from.
class Statement {
 public:
  Statement(const Database& database, const char* sql) : database_(database.handle()) {
    if (sqlite3_prepare_v2(database_, sql, -1, &statement_, nullptr) != SQLITE_OK) {
      fail(database_, sql);
    }
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds from the first parameter on, runs to the end, and makes the statement ready for the next
  // call.
  template <typename... Values>
  void execute(const Values&... values) {
    bind_all(values...);
    if (sqlite3_step(statement_) != SQLITE_DONE) {
      fail(database_, sqlite3_sql(statement_));
    }
    sqlite3_reset(statement_);
  }

  // Adds every column of every row to the digest; returns the number of rows.
  template <typename... Values>
  std::uint64_t query(Digest& digest, const Values&... values) {
    bind_all(values...);
    std::uint64_t rows = 0;
    int result = SQLITE_OK;
    while ((result = sqlite3_step(statement_)) == SQLITE_ROW) {
      ++rows;
      for (int i = 0; i < sqlite3_column_count(statement_); ++i) {
        add_column(digest, i);
      }
    }
    if (result != SQLITE_DONE) {
      fail(database_, sqlite3_sql(statement_));
    }
    sqlite3_reset(statement_);
    return rows;
  }

 private:
  template <typename... Values>
  void bind_all(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
  }
  void bind(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }
  void bind(int index, std::string_view text) {
    sqlite3_bind_text(statement_, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  void add_column(Digest& digest, int index) {
    if (sqlite3_column_type(statement_, index) == SQLITE_INTEGER) {
      digest.add(static_cast<std::uint64_t>(sqlite3_column_int64(statement_, index)));
      return;
    }
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, index));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, index));
    digest.add(std::string_view(text == nullptr ? "" : text, size));
  }

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
};

struct Customer {
  TextRange name;
  TextRange city;
};

struct Product {
  TextRange sku;
  TextRange title;
  TextRange category;
  std::int64_t price_cents;
};

struct Line {
  std::uint32_t product;
  std::uint32_t quantity;
};

struct Order {
  std::uint32_t customer;
  TextRange note;
  Line lines[kLinesPerOrder];
};

// All that the shop will be told, drawn from the seed. Immutable once made; shared by all threads.
class Script {
 public:
  explicit Script(const Setup& setup)
      : orders_per_day_(static_cast<std::size_t>(setup["orders"])),
        customers_(static_cast<std::size_t>(setup["customers"])),
        products_(static_cast<std::size_t>(setup["products"])),
        orders_(orders_per_day_ * kDrawnDays) {
    Random random(setup.seed());
    for (Customer& customer : customers_) {
      customer.name = draw_phrase(text_, random, 2);
      customer.city = draw_phrase(text_, random, 1);
    }
    for (std::size_t i = 0; i < products_.size(); ++i) {
      draw_product(random, i);
    }
    for (Order& order : orders_) {
      draw_order(random, order);
    }
  }

  [[nodiscard]] const MappedArray<Customer>& customers() const { return customers_; }
  [[nodiscard]] const MappedArray<Product>& products() const { return products_; }
  [[nodiscard]] std::size_t orders_per_day() const { return orders_per_day_; }
  [[nodiscard]] const Order& order(std::size_t day, std::size_t i) const {
    return orders_[day % kDrawnDays * orders_per_day_ + i];
  }
  [[nodiscard]] std::string_view text(TextRange range) const {
    return text_.view(range.start, range.size_bytes);
  }

 private:
  void draw_product(Random& random, std::size_t i) {
    Product& product = products_[i];
    const std::size_t start = text_.size();
    text_ << draw_word(random) << "-" << 100000 + i;
    product.sku = {start, text_.size() - start};
    product.title = draw_phrase(text_, random, random.between(2, 6));
    product.category = draw_phrase(text_, random, 1);
    product.price_cents = static_cast<std::int64_t>(random.between(99, 99999));
  }
  void draw_order(Random& random, Order& order) {
    order.customer = static_cast<std::uint32_t>(random.below(customers_.size()));
    order.note = draw_phrase(text_, random, random.between(1, 24));
    for (Line& line : order.lines) {
      line.product = static_cast<std::uint32_t>(random.below(products_.size()));
      line.quantity = static_cast<std::uint32_t>(random.between(1, 9));
    }
  }

  std::size_t orders_per_day_;
  MappedText text_;
  MappedArray<Customer> customers_;
  MappedArray<Product> products_;
  MappedArray<Order> orders_;
};

// The shop's program over its database. Used by the thread that made it.
class Shop {
 public:
  Shop(const Script& script, std::int64_t days_kept) : script_(script), days_kept_(days_kept) {
    database_.execute("BEGIN");
    fill_customers();
    fill_products();
    database_.execute("COMMIT");
  }

  // `draw` says which drawn day is replayed. Returns the number of statements run.
  std::uint64_t trade(std::int64_t day, std::size_t draw, Digest& digest) {
    database_.execute("BEGIN");
    for (std::size_t i = 0; i < script_.orders_per_day(); ++i) {
      take_order(day, script_.order(draw, i));
    }
    deliver_.execute(day - 1);
    database_.execute("COMMIT");
    for (const char* report : kReports) {
      digest.add(Statement(database_, report).query(digest, day));
    }
    forget(day - days_kept_);
    constexpr std::uint64_t kOtherStatements = 7;  // deliver, forget, and their transactions
    return script_.orders_per_day() * (1 + kLinesPerOrder) + std::size(kReports) + kOtherStatements;
  }

 private:
  void fill_customers() {
    Statement insert(database_, "INSERT INTO customers(name, city) VALUES(?1, ?2)");
    for (const Customer& customer : script_.customers()) {
      insert.execute(script_.text(customer.name), script_.text(customer.city));
    }
  }

  void fill_products() {
    Statement insert(database_, "INSERT INTO products VALUES(NULL, ?1, ?2, ?3, ?4)");
    for (const Product& product : script_.products()) {
      insert.execute(script_.text(product.sku), script_.text(product.title),
                     script_.text(product.category), product.price_cents);
    }
  }

  void take_order(std::int64_t day, const Order& order) {
    insert_order_.execute(std::int64_t{order.customer} + 1, day, script_.text(order.note));
    const std::int64_t id = database_.last_row();
    for (const Line& line : order.lines) {
      insert_line_.execute(id, std::int64_t{line.product} + 1, std::int64_t{line.quantity});
    }
  }

  void forget(std::int64_t day) {
    database_.execute("BEGIN");
    forget_lines_.execute(day);
    forget_orders_.execute(day);
    database_.execute("COMMIT");
  }

  const Script& script_;
  std::int64_t days_kept_;
  Database database_;
  Statement insert_order_{database_,
                          "INSERT INTO orders(customer_id, day, status, note) "
                          "VALUES(?1, ?2, 'new', ?3)"};
  Statement insert_line_{database_,
                         "INSERT INTO lines SELECT ?1, id, ?3, price_cents FROM products "
                         "WHERE id = ?2"};
  Statement deliver_{database_,
                     "UPDATE orders SET status = 'delivered ' || length(note) WHERE day = ?1"};
  Statement forget_lines_{database_,
                          "DELETE FROM lines WHERE order_id IN "
                          "(SELECT id FROM orders WHERE day = ?1)"};
  Statement forget_orders_{database_, "DELETE FROM orders WHERE day = ?1"};
};

class Sqlite : public Workload {
 public:
  explicit Sqlite(const Setup& setup) : script_(setup), days_kept_(setup["days"]) {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_initialize() != SQLITE_OK) {
      fail(nullptr, "initialize");
    }
  }
  ~Sqlite() override { sqlite3_shutdown(); }

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    Tally tally;
    Shop shop(script_, days_kept_);
    for (std::int64_t i = 0; steps.next(); ++i) {
      const auto draw = static_cast<std::size_t>(i + thread_index);
      tally.operations += shop.trade(i, draw, digest);
    }
    tally.checksum = digest.value();
    return tally;
  }

 private:
  Script script_;
  std::int64_t days_kept_;
};

const Registration registration(
    {.name = "sqlite",
     .question = "What does a database engine cost: pages that stay, short-lived statements?",
     .origin = "SQLite in memory, an order-processing schema at inserts, reports and deletes",
     .operation = "an SQL statement",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"orders", 40, "orders", "orders taken in a day", 1, 100000},
                    {"days", 20, "days", "days kept in the database", 1, 10000},
                    {"customers", 1000, "rows", "customers", 1, 1000000},
                    {"products", 500, "rows", "products", 1, 1000000}},
     .smoke_iterations = 5,
     .profile = "level once the days are there; half of the blocks up to 95 bytes, pages of 4 KiB; "
                "lives of a statement, pages stay"},
    [](const Setup& setup) { return std::make_unique<Sqlite>(setup); });

}  // namespace
}  // namespace workloads

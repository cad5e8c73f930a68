// A translation unit that keeps a compiler busy: templates, the standard library, and an interpreter of arithmetic.
#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace calculator {

struct Number { double value; };
struct Name { std::string text; };
struct Operator { char symbol; };
struct End {};
using Token = std::variant<Number, Name, Operator, End>;

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Token next() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
    if (text_.empty()) return End{};
    if (is_digit(text_.front())) return number();
    if (is_letter(text_.front())) return name();
    const char symbol = text_.front();
    text_.remove_prefix(1);
    return Operator{symbol};
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }
  Token number() {
    double value = 0;
    const auto result = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    text_.remove_prefix(static_cast<std::size_t>(result.ptr - text_.data()));
    return Number{value};
  }
  Token name() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), is_letter);
    Name name{std::string(text_.begin(), end)};
    text_.remove_prefix(name.text.size());
    return name;
  }
  std::string_view text_;
};

using Scope = std::unordered_map<std::string, double>;
struct Expression {
  virtual ~Expression() = default;
  virtual double evaluate(const Scope& scope) const = 0;
  virtual void print(std::ostream& out) const = 0;
};
using Tree = std::unique_ptr<Expression>;

struct Constant : Expression {
  explicit Constant(double v) : value(v) {}
  double evaluate(const Scope&) const override { return value; }
  void print(std::ostream& out) const override { out << value; }
  double value;
};
struct Variable : Expression {
  explicit Variable(std::string n) : name(std::move(n)) {}
  double evaluate(const Scope& scope) const override { return scope.at(name); }
  void print(std::ostream& out) const override { out << name; }
  std::string name;
};
template <typename Function, char kSymbol>
struct Binary : Expression {
  Binary(Tree l, Tree r) : left(std::move(l)), right(std::move(r)) {}
  double evaluate(const Scope& scope) const override {
    return Function{}(left->evaluate(scope), right->evaluate(scope));
  }
  void print(std::ostream& out) const override {
    out << '(';
    left->print(out);
    out << ' ' << kSymbol << ' ';
    right->print(out);
    out << ')';
  }
  Tree left, right;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text), token_(lexer_.next()) {}
  Tree parse() {
    Tree tree = sum();
    if (!std::holds_alternative<End>(token_)) throw std::runtime_error("trailing text");
    return tree;
  }

 private:
  std::optional<char> symbol() const {
    const auto* found = std::get_if<Operator>(&token_);
    return found != nullptr ? std::optional(found->symbol) : std::nullopt;
  }
  void advance() { token_ = lexer_.next(); }
  Tree sum() {
    Tree left = product();
    while (symbol() == '+' || symbol() == '-') {
      const char operation = *symbol();
      advance();
      Tree right = product();
      if (operation == '+') left = std::make_unique<Binary<std::plus<>, '+'>>(std::move(left), std::move(right));
      else left = std::make_unique<Binary<std::minus<>, '-'>>(std::move(left), std::move(right));
    }
    return left;
  }
  Tree product() {
    Tree left = factor();
    while (symbol() == '*' || symbol() == '/') {
      const char operation = *symbol();
      advance();
      Tree right = factor();
      if (operation == '*') left = std::make_unique<Binary<std::multiplies<>, '*'>>(std::move(left), std::move(right));
      else left = std::make_unique<Binary<std::divides<>, '/'>>(std::move(left), std::move(right));
    }
    return left;
  }
  Tree factor() {
    Tree tree;
    if (auto* number = std::get_if<Number>(&token_)) tree = std::make_unique<Constant>(number->value);
    else if (auto* name = std::get_if<Name>(&token_)) tree = std::make_unique<Variable>(std::move(name->text));
    else if (symbol() == '(') {
      advance();
      tree = sum();
      if (symbol() != ')') throw std::runtime_error("expected )");
    } else throw std::runtime_error("expected a value");
    advance();
    return tree;
  }
  Lexer lexer_;
  Token token_;
};

// Templates in numbers: a matrix of each size, each with its own functions.
template <typename T, std::size_t kRows, std::size_t kColumns>
struct Matrix {
  T cells[kRows][kColumns] = {};
  template <std::size_t kOther>
  friend Matrix<T, kRows, kOther> multiply(const Matrix& a, const Matrix<T, kColumns, kOther>& b) {
    Matrix<T, kRows, kOther> result;
    for (std::size_t i = 0; i < kRows; ++i)
      for (std::size_t j = 0; j < kOther; ++j)
        for (std::size_t k = 0; k < kColumns; ++k) result.cells[i][j] += a.cells[i][k] * b.cells[k][j];
    return result;
  }
  T trace() const {
    T sum{};
    for (std::size_t i = 0; i < std::min(kRows, kColumns); ++i) sum += cells[i][i];
    return sum;
  }
};
template <typename T, std::size_t... kSizes>
T traces(std::index_sequence<kSizes...>) {
  return (multiply(Matrix<T, kSizes + 1, kSizes + 2>{}, Matrix<T, kSizes + 2, kSizes + 1>{}).trace() + ...);
}
double all_traces() {
  return traces<double>(std::make_index_sequence<6>()) + static_cast<double>(traces<int>(std::make_index_sequence<6>()));
}

std::map<std::string, std::vector<std::tuple<int, std::string>>> group(const std::vector<std::string>& words) {
  std::map<std::string, std::vector<std::tuple<int, std::string>>> groups;
  int place = 0;
  for (const auto& word : words) groups[word.substr(0, 2)].emplace_back(place++, word);
  for (auto& [key, members] : groups)
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return std::get<1>(a) < std::get<1>(b); });
  return groups;
}

std::string evaluate(std::string_view text, const Scope& scope) {
  std::ostringstream out;
  const Tree tree = Parser(text).parse();
  tree->print(out);
  out << " = " << tree->evaluate(scope);
  return out.str();
}

}  // namespace calculator

// Proves what operator new and delete promise under a drop-in: every form pairs with its delete,
// alignas is honoured, the new-handler loop runs, failures throw bad_alloc or give null. Does not
// prove the C functions (semantics.c). Compiled without builtins and with calls through volatile
// sizes, so no pair is optimised away.
#include <malloc.h>

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "check.h"

namespace {

volatile size_t impossible_bytes = static_cast<size_t>(PTRDIFF_MAX) - 4096;
int handler_calls = 0;
void* reserve = nullptr;

bool is_aligned(const void* block, size_t alignment) {
  return reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

void every_form_of_new_pairs_with_its_delete() {
  const auto tag = std::nothrow;
  for (size_t size = 0; size < 400000; size = size * 3 + 1) {
    ::operator delete(::operator new(size));
    ::operator delete(::operator new(size), size);
    ::operator delete(::operator new(size, tag), tag);
    ::operator delete[](::operator new[](size));
    ::operator delete[](::operator new[](size), size);
    ::operator delete[](::operator new[](size, tag), tag);
    for (size_t value = 1; value <= 1 << 16; value *= 4) {
      const auto alignment = static_cast<std::align_val_t>(value);
      void* const block = ::operator new(size, alignment);
      CHECK(is_aligned(block, value));
      ::operator delete(block, alignment);
      ::operator delete(::operator new(size, alignment), size, alignment);
      ::operator delete(::operator new(size, alignment, tag), alignment, tag);
      ::operator delete[](::operator new[](size, alignment), alignment);
      ::operator delete[](::operator new[](size, alignment), size, alignment);
      void* const array = ::operator new[](size, alignment, tag);
      CHECK(is_aligned(array, value));
      ::operator delete[](array, alignment, tag);
    }
  }
  ::operator delete(nullptr);
  ::operator delete (nullptr, size_t{0}, std::align_val_t{64});
}

struct alignas(64) Line {
  char bytes[64];
};
struct alignas(8192) TwoPages {
  char bytes[8192];
};

void alignas_is_honoured() {
  std::vector<std::unique_ptr<Line>> lines;
  for (int i = 0; i < 500; i++) {
    lines.push_back(std::make_unique<Line>());
    CHECK(is_aligned(lines.back().get(), 64));
    CHECK(is_aligned(std::make_unique<TwoPages>().get(), 8192));
  }
  const std::vector<TwoPages> pages(5);
  CHECK(is_aligned(pages.data(), 8192));
}

void new_of_zero_is_unique() {
  void* const first = ::operator new(0);
  void* const second = ::operator new[](0);
  CHECK(first != nullptr && second != nullptr && first != second);
  ::operator delete(first);
  ::operator delete[](second);
}

template <typename Request>
bool throws_bad_alloc(Request request) {
  try {
    request();
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}

void failed_new_throws_bad_alloc() {
  std::set_new_handler(nullptr);
  CHECK(throws_bad_alloc([] { (void)::operator new(impossible_bytes); }));
  CHECK(throws_bad_alloc([] { (void)::operator new[](impossible_bytes); }));
  CHECK(throws_bad_alloc([] { (void)::operator new (impossible_bytes, std::align_val_t{64}); }));
  CHECK(throws_bad_alloc([] { (void)::operator new[](impossible_bytes, std::align_val_t{4096}); }));
  CHECK(throws_bad_alloc(
      [] { (void)::operator new(64, static_cast<std::align_val_t>(size_t{1} << 63)); }));
  CHECK(throws_bad_alloc([] { std::string(impossible_bytes - 100, 'x'); }));
}

void failed_nothrow_new_gives_null() {
  std::set_new_handler(nullptr);
  CHECK(::operator new(impossible_bytes, std::nothrow) == nullptr);
  CHECK(::operator new[](impossible_bytes, std::nothrow) == nullptr);
  CHECK(::operator new (impossible_bytes, std::align_val_t{64}, std::nothrow) == nullptr);
  CHECK(::operator new[](impossible_bytes, std::align_val_t{64}, std::nothrow) == nullptr);
}

void give_up_after_three() {
  if (++handler_calls == 3) {
    std::set_new_handler(nullptr);
  }
}

void throw_at_once() {
  handler_calls++;
  throw std::bad_alloc();
}

void new_handler_runs_until_it_gives_up() {
  for (int form = 0; form < 6; form++) {
    handler_calls = 0;
    std::set_new_handler(give_up_after_three);
    switch (form) {
      case 0:
        CHECK(throws_bad_alloc([] { (void)::operator new(impossible_bytes); }));
        break;
      case 1:
        CHECK(throws_bad_alloc([] { (void)::operator new[](impossible_bytes); }));
        break;
      case 2:
        CHECK(throws_bad_alloc(
            [] { (void)::operator new (impossible_bytes, std::align_val_t{64}); }));
        break;
      case 3:
        CHECK(::operator new(impossible_bytes, std::nothrow) == nullptr);
        break;
      case 4:
        CHECK(::operator new[](impossible_bytes, std::nothrow) == nullptr);
        break;
      default:
        CHECK(::operator new (impossible_bytes, std::align_val_t{64}, std::nothrow) == nullptr);
        break;
    }
    CHECK(handler_calls == 3);
  }
}

void nothrow_new_survives_a_throwing_handler() {
  std::set_new_handler(throw_at_once);
  CHECK(::operator new(impossible_bytes, std::nothrow) == nullptr);
  CHECK(::operator new[](impossible_bytes, std::align_val_t{64}, std::nothrow) == nullptr);
  CHECK(handler_calls == 2);
}

void give_reserve_back() {
  handler_calls++;
  free(reserve);
  reserve = nullptr;
  std::set_new_handler(nullptr);
}

// The loop's purpose: a handler that frees memory lets the same request succeed.
void new_handler_that_frees_lets_new_succeed() {
  constexpr size_t kGiB = size_t{1} << 30;
  size_t fits = 0;
  for (size_t size = size_t{1} << 46; size >= kGiB && reserve == nullptr; size /= 2) {
    reserve = malloc(size);
    fits = size;
  }
  CHECK(reserve != nullptr);
  std::vector<void*> rest;
  void* block = nullptr;
  while (rest.size() < 100000 && (block = malloc(fits)) != nullptr) {
    rest.push_back(block);
  }
  CHECK(malloc(fits) == nullptr);
  std::set_new_handler(give_reserve_back);
  void* const served = ::operator new(fits);
  CHECK(served != nullptr && handler_calls == 1);
  ::operator delete(served);
  for (void* const one : rest) {
    free(one);
  }
}

void delete_and_free_share_the_heap() {
  const size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 1000; i++) {
    char* const block = new char[100000];
    block[0] = 1;
    delete[] block;
  }
  CHECK(mallinfo2().uordblks <= before + (1 << 20));
}

}  // namespace

#define CASE(name) \
  { #name, name }
static const check_case kCases[] = {
    CASE(every_form_of_new_pairs_with_its_delete),
    CASE(alignas_is_honoured),
    CASE(new_of_zero_is_unique),
    CASE(failed_new_throws_bad_alloc),
    CASE(failed_nothrow_new_gives_null),
    CASE(new_handler_runs_until_it_gives_up),
    CASE(nothrow_new_survives_a_throwing_handler),
    CASE(new_handler_that_frees_lets_new_succeed),
    CASE(delete_and_free_share_the_heap),
};

int main(int argc, char** argv) { return check_main(argc, argv, kCases, std::size(kCases)); }

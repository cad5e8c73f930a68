/* Proves that malloc works before any constructor: in the program's preinit functions and in an
 * IFUNC resolver, which the dynamic linker calls while it relocates. Does not prove anything about
 * static programs. */
#include "check.h"

static void* from_preinit;
static void* from_constructor;

static void allocate_in_preinit(void) {
  from_preinit = malloc(1000);
  free(malloc(100000));
}
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(void) = allocate_in_preinit;

__attribute__((constructor(101))) static void allocate_in_constructor(void) {
  from_constructor = calloc(100, 100);
}

static int answer(void) { return 42; }

/* Bound while the program is relocated: its own calls may not work yet, so malloc comes as the
 * linker finds it. */
static int (*resolve_answer(void))(void) {
  void* volatile block = malloc(50);
  free(block);
  return block != NULL ? answer : NULL;
}
int resolved(void) __attribute__((ifunc("resolve_answer")));

static void malloc_works_before_constructors(void) {
  CHECK(from_preinit != NULL && from_constructor != NULL);
  memset(from_preinit, 1, 1000);
  free(from_preinit);
  free(from_constructor);
}

static void malloc_works_in_an_ifunc_resolver(void) { CHECK(resolved() == 42); }

#define CASE(name) \
  { #name, name }
static const struct check_case kCases[] = {
    CASE(malloc_works_before_constructors),
    CASE(malloc_works_in_an_ifunc_resolver),
};

int main(int argc, char** argv) {
  return check_main(argc, argv, kCases, sizeof kCases / sizeof *kCases);
}

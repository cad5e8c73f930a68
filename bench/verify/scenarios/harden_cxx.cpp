// Misuse of new and delete.
#include <new>

#include "scenario.h"

//// delete twice
SCENARIO("hardening.delete.twice", kMustCatchCall, "delete of the same object twice is caught") {
  char* object = hide(::operator new(40));
  ::operator delete(hide(object));
  fault();
  ::operator delete(hide(object));
  survived(40);
}

//// sizes that are not the block's
SCENARIO("hardening.delete.size-too-large", kMustCatchCall, "delete with 400 for an object of 40 bytes") {
  char* object = hide(::operator new(40));
  fault();
  ::operator delete(hide(object), hide_size(400));
  survived(40);
}
SCENARIO("hardening.delete.size-too-small", kMustCatchCall, "delete with 8 for an object of 400 bytes") {
  char* object = hide(::operator new(400));
  fault();
  ::operator delete(hide(object), hide_size(8));
  survived(400);
}
SCENARIO("hardening.delete.alignment", kMustCatchCall, "delete with an alignment of 4,096 for an object that has 16") {
  char* object = hide(::operator new(112));
  while (reinterpret_cast<uintptr_t>(object) % 4096 == 0) object = hide(::operator new(112));
  fault();
  ::operator delete(hide(object), hide_size(112), std::align_val_t(4096));
  survived(112);
}

//// families that do not fit
#define TELL_MIXES "OSMEM_HARDEN=canary,quarantine=1M,zero,guard,mix"
OPTION_SCENARIO("hardening.mix.malloc-delete", kMustCatchCall, TELL_MIXES, "delete of a block of malloc") {
  char* block = new_block(40);
  fault();
  ::operator delete(hide(block));
  survived(40);
}
OPTION_SCENARIO("hardening.mix.new-free", kMustCatchCall, TELL_MIXES, "free of an object of new") {
  char* object = hide(::operator new(40));
  fault();
  free(hide(object));
  survived(40);
}
OPTION_SCENARIO("hardening.mix.array-delete", kMustCatchCall, TELL_MIXES, "delete of an array of new[]") {
  char* objects = hide(::operator new[](40));
  fault();
  ::operator delete(hide(objects));
  survived(40);
}
OPTION_SCENARIO("hardening.mix.delete-array", kMustCatchCall, TELL_MIXES, "delete[] of an object of new") {
  char* object = hide(::operator new(40));
  fault();
  ::operator delete[](hide(object));
  survived(40);
}

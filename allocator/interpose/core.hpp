// Includes the core that this drop-in is built over, and checks that it keeps the contract.
#pragma once

#include "allocator/interpose/core_contract.hpp"

#ifndef INTERPOSE_CORE
#error "compile with -DINTERPOSE_CORE=\"header\"; see osmem_add_drop_in in CMakeLists.txt"
#endif
#include INTERPOSE_CORE

static_assert(interpose::CoreContract<Core>,
              "Core must define every function of core_contract.hpp");

// Every exported symbol carries it; all else is hidden, so calls inside the library need no PLT.
#define INTERPOSE_EXPORT __attribute__((visibility("default")))
// A second name for a function of this translation unit: same code, same address.
#define INTERPOSE_ALIAS(target) __attribute__((visibility("default"), alias(#target), copy(target)))

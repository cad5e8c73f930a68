// The allocators that the workbench knows, and how each family is asked for version, stats and purge.
#pragma once

#include <span>

#include "bench/allocators/allocator.hpp"
#include "bench/allocators/registry.hpp"

namespace allocators {

// The table behind `bench list allocators`.
std::span<const Known> known_allocators();

// The adapter that fits what the library exports; the C library's own functions of malloc.h where it has them.
const Adapter& adapter_for(const LoadedLibrary& library);

// The allocator of that library (empty: the C library), which is loaded in this process.
Allocator loaded_allocator(const std::filesystem::path& library);

}  // namespace allocators

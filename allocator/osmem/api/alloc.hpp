// L4: the allocation functions over all layers, with the semantics that the C interface and the entry points share.
#pragma once

#include <cstddef>

#include "allocator/osmem/threads/thread_cache.hpp"

namespace osmem {

// As calloc: overflow of the product and lack of memory give null with ENOMEM.
void* allocate_zeroed(std::size_t count, std::size_t size);

// As realloc: null is malloc, size 0 frees and gives null, a failure keeps the block.
void* reallocate(void* ptr, std::size_t size);

// `alignment` is a power of two.
void* allocate_aligned(std::size_t alignment, std::size_t size);

// As free of a block whose size and alignment, a power of two, are told.
void free_aligned(void* ptr, std::size_t alignment, std::size_t size);

// 0 for null.
std::size_t usable_size(const void* ptr);

// Gives back what is free, now: at most `keep_bytes` of free memory stay. Bytes given back.
std::size_t trim(std::size_t keep_bytes);

}  // namespace osmem

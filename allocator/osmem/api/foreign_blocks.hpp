// Which pointers that osmem did not hand out may be blocks of the C library's own malloc, which come from libraries that were opened with
// RTLD_DEEPBIND. All else is a wrong pointer, and the C library, asked to free it, would follow whatever lies before it.
#pragma once

namespace osmem::foreign {

// At start, before the data segment has grown.
void note_break();

// O(1), some system calls; reads nothing that cannot be read. Thread-safe.
bool may_be_block(const void* ptr);

// The C library's functions on such a block. Where it is none, or was one of osmem's until a while ago, the program is told so: then nothing
// happens, and the result is null or 0.
void free(void* ptr);
void* reallocate(void* ptr, unsigned long size);
unsigned long usable_size(const void* ptr);

// Large blocks that were freed: the last ones are remembered, so that a second free of one is called what it is. Thread-safe.
void note_freed(const void* large);

}  // namespace osmem::foreign

// Proves that osmem.h and osmem.hpp compile without a warning as C11 and as C++, alone and first in a file, and work in both.
// The flags stand in CMakeLists.txt. Does not prove anything about compilers other than the one that builds the project.
#include "allocator/osmem/api/osmem.hpp"
#include "allocator/osmem/api/osmem.h"

#include <gtest/gtest.h>

extern "C" int headers_c11_check(void);

namespace {

TEST(Headers, ServeCAndCxxInOneProgram) {
  EXPECT_EQ(headers_c11_check(), 1);
  void* block = osmem::resource()->allocate(100);
  EXPECT_GE(os_usable_size(block), 100U);
  os_free(block);
}

}  // namespace

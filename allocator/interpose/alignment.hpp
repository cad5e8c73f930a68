// What the entry points ask of an alignment.
#pragma once

#include <cstddef>

namespace interpose {

// As std::has_single_bit, which is a call where the machine's baseline has no instruction that counts bits.
constexpr bool is_power_of_two(std::size_t value) { return value != 0 && (value & (value - 1)) == 0; }

}  // namespace interpose

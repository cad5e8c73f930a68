// Runs a scenario under strace and writes down what it did, step by step, in the form that the
// tests expect.
//
// A scenario is lines of the form
//     STEP -> RESULT | CALL, CALL ...
// STEP is what driver.c takes. RESULT is the offset of the payload from the start of the heap,
// `map+N` for N bytes into the newest mapping at that address, `null`, or `ok` for steps without a
// block. CALLs are the system calls of the step: `brk 0` (asks), `brk +N` (moves), `mmap N`,
// `munmap N`; "mmap" stands for an anonymous private mapping, readable and writable, at no address
// asked for, and "munmap" for one whose address is a live mapping's. Any other call appears as
// strace writes it, and so fails the comparison.
#pragma once

#include <string>

namespace scenario {

// Why scenarios cannot run here (strace missing or not allowed to trace), or "".
const std::string& why_not();

// Lines without empty ones and surrounding blanks, inner blanks reduced to one.
std::string normalised(const std::string& text);

// What happened, in the form above, for the steps of `scenario`. `driver` is the program, `by` its
// first argument. On any failure the text says what went wrong.
std::string transcript(const std::string& driver, const std::string& by,
                       const std::string& scenario);

}  // namespace scenario

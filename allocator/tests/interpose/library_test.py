#!/usr/bin/env python3
"""Looks into a built drop-in and fails, with the reason, if it is not what a malloc has to be.

Checks of the library file, each a subcommand:
  fast-path   the hit paths of malloc and free, from the disassembly: number of instructions and of
              conditional branches, no call, no lock prefix, no jump out of the function before the return
  needs       links to nothing but the C library; no constructors beyond those named
  exports     exports the drop-in surface and names with the given prefix, and nothing else
  static-tls  size of the static thread-local storage

What is counted as the hit path: from the function's first instruction to its first `ret`, with every
conditional branch not taken. The compiler lays the likely path out so; a path that is laid out otherwise
fails the test, as it should be looked at.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

SURFACE = set(
    "malloc free calloc realloc reallocarray memalign posix_memalign aligned_alloc valloc pvalloc"
    " malloc_usable_size cfree free_sized free_aligned_sized mallinfo mallinfo2 mallopt malloc_trim malloc_stats"
    " malloc_info __libc_malloc __libc_free __libc_calloc __libc_realloc __libc_reallocarray __libc_memalign"
    " __libc_valloc __libc_pvalloc __libc_mallinfo __libc_mallopt __posix_memalign"
    " _Znwm _ZnwmRKSt9nothrow_t _ZnwmSt11align_val_t _ZnwmSt11align_val_tRKSt9nothrow_t"
    " _Znam _ZnamRKSt9nothrow_t _ZnamSt11align_val_t _ZnamSt11align_val_tRKSt9nothrow_t"
    " _ZdlPv _ZdlPvm _ZdlPvRKSt9nothrow_t _ZdlPvSt11align_val_t _ZdlPvSt11align_val_tRKSt9nothrow_t"
    " _ZdlPvmSt11align_val_t _ZdaPv _ZdaPvm _ZdaPvRKSt9nothrow_t _ZdaPvSt11align_val_t"
    " _ZdaPvSt11align_val_tRKSt9nothrow_t _ZdaPvmSt11align_val_t".split()
)


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbol_addresses(library: Path) -> dict[str, int]:
    """Defined dynamic symbols; without versions."""
    table = {}
    for line in output_of("nm", "-D", "--defined-only", str(library)).splitlines():
        address, _, name = line.split()
        table[name.split("@")[0]] = int(address, 16)
    return table


def instructions_from(library: Path, address: int) -> list[tuple[str, str]]:
    """(mnemonic with prefixes, operands) in order of address, from the given one on."""
    text = output_of("objdump", "-d", "--no-show-raw-insn", f"--start-address={address}", f"--stop-address={address + 512}", str(library))
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*[0-9a-f]+:\t(.*)$", line)
        if match:
            parts = match.group(1).split("#")[0].strip().split(None, 1)
            found.append((parts[0], parts[1] if len(parts) > 1 else ""))
    return found


def hit_path(library: Path, function: str) -> list[tuple[str, str]]:
    path = []
    for mnemonic, operands in instructions_from(library, symbol_addresses(library)[function]):
        path.append((mnemonic, operands))
        if mnemonic == "ret":
            return path
        if mnemonic in ("jmp", "call", "bnd"):
            break
    listing = "\n".join(f"  {m} {o}" for m, o in path)
    sys.exit(f"{function}: the hit path leaves the function before it returns:\n{listing}")


def is_branch(mnemonic: str) -> bool:
    return mnemonic.startswith("j") and mnemonic != "jmp"


def check_fast_path(library: Path, limits: list[str]) -> None:
    for limit in limits:
        function, most_instructions, most_branches = limit.split(":")
        path = hit_path(library, function)
        branches = sum(is_branch(mnemonic) for mnemonic, _ in path)
        listing = "\n".join(f"  {m} {o}" for m, o in path)
        print(f"{function}: {len(path)} instructions (at most {most_instructions}), {branches} branches (at most {most_branches})")
        if any(mnemonic == "lock" or mnemonic == "call" or mnemonic.startswith("xchg") for mnemonic, _ in path):
            sys.exit(f"{function}: a call or a locked instruction on the hit path:\n{listing}")
        if len(path) > int(most_instructions) or branches > int(most_branches):
            sys.exit(f"{function}: too long:\n{listing}")


def check_needs(library: Path, most_constructors: int) -> None:
    dynamic = output_of("readelf", "-dW", str(library))
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    unwanted = [name for name in needed if not re.match(r"(libc\.so|ld-linux|ld64)", name)]
    if unwanted:
        sys.exit(f"links to {', '.join(unwanted)}: only the C library may be needed")
    size = re.search(r"\(INIT_ARRAYSZ\)\s+(\d+)", dynamic)
    # One entry is the compiler's own (frame_dummy).
    constructors = int(size.group(1)) // 8 - 1 if size else 0
    print(f"needs {', '.join(needed)}; {constructors} constructors")
    if constructors > most_constructors:
        sys.exit(f"{constructors} constructors, at most {most_constructors} are justified")
    if "NODELETE" not in dynamic:
        sys.exit("not linked with -z nodelete: dlclose would unmap live blocks' code")


def check_exports(library: Path, prefixes: list[str]) -> None:
    exported = set(symbol_addresses(library))
    missing = SURFACE - exported
    extra = {name for name in exported - SURFACE if not any(name.startswith(p) for p in prefixes)}
    print(f"{len(exported)} symbols exported")
    if missing or extra:
        sys.exit(f"missing: {sorted(missing)}; not to be exported: {sorted(extra)}")


def check_static_tls(library: Path, most_bytes: int) -> None:
    match = re.search(r"^\s*TLS\s+(?:0x\w+\s+){4}(0x\w+)", output_of("readelf", "-lW", str(library)), re.M)
    size = int(match.group(1), 16) if match else 0
    print(f"{size} bytes of static thread-local storage")
    if size > most_bytes:
        sys.exit(f"at most {most_bytes} are allowed: a library loaded late has to fit in what the linker spares")
    if output_of("readelf", "-rW", str(library)).find("DTPMOD") >= 0:
        sys.exit("thread-local storage of the general model: its accesses call __tls_get_addr")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    fast_path = commands.add_parser("fast-path")
    fast_path.add_argument("limits", nargs="+", metavar="FUNCTION:INSTRUCTIONS:BRANCHES")
    needs = commands.add_parser("needs")
    needs.add_argument("--constructors", type=int, default=0)
    exports = commands.add_parser("exports")
    exports.add_argument("prefixes", nargs="*", help="of the allocator's own interface")
    tls = commands.add_parser("static-tls")
    tls.add_argument("most_bytes", type=int)
    arguments = parser.parse_args()
    if arguments.command == "fast-path":
        check_fast_path(arguments.library, arguments.limits)
    elif arguments.command == "needs":
        check_needs(arguments.library, arguments.constructors)
    elif arguments.command == "exports":
        check_exports(arguments.library, arguments.prefixes)
    else:
        check_static_tls(arguments.library, arguments.most_bytes)


if __name__ == "__main__":
    main()

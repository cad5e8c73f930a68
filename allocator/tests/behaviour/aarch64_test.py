#!/usr/bin/env python3
"""osmem compiles for aarch64 without a warning, and passes its single-thread tests there, under qemu's emulation of a process.

Compiles osmem's core, the drop-in's entry points and other_machine_main.cpp with Debian's cross compiler, then runs them on both
back ends with each size of page that the machine may have. Exits with 77 and the reason where the cross compiler or the emulator is missing. Does not prove anything about
threads, as the emulator does not show a weakly ordered machine's reordering; nor that the kernel takes osmem's addresses on
larger pages, as the emulator's own stay what they are: osmem reads the larger size, and must live with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
SYSTEM_ROOT = Path("/usr/aarch64-linux-gnu")
SKIPPED = 77
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[2]
WARNINGS = ["-Wall", "-Wextra", "-Wundef", "-Wshadow", "-Wconversion", "-Werror"]


def missing() -> str | None:
    """What this machine lacks, with the package that has it."""
    for program, package in ((COMPILER, "g++-aarch64-linux-gnu"), (EMULATOR, "qemu-user")):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: {package})"
    if not (SYSTEM_ROOT / "lib" / "ld-linux-aarch64.so.1").exists():
        return f"no C library for aarch64 in {SYSTEM_ROOT} (Debian: libc6-arm64-cross)"
    return None


def compile_one(source: Path, target: Path, flags: list[str]) -> Path:
    subprocess.run([COMPILER, "-std=c++20", "-O2", "-fPIC", *WARNINGS, *flags, f"-I{PROJECT}", "-c", str(source), "-o", str(target)],
                   check=True)
    return target


def build(core: list[Path], entries: list[Path], flags: list[str], version: str, folder: Path) -> tuple[Path, Path]:
    """The test program, with the core in it, and the drop-in."""
    drop_in_flags = [*flags, '-DINTERPOSE_CORE="allocator/osmem/api/core.hpp"', f'-DINTERPOSE_VERSION="{version}"']
    jobs = [(source, flags) for source in core] + [(source, drop_in_flags) for source in entries]
    jobs += [(source, []) for source in (HERE / "other_machine_main.cpp", PROJECT / "allocator/tests/osmem/shadow.cpp")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda job: compile_one(job[0], folder / f"{job[0].parent.name}-{job[0].stem}.o", job[1]), jobs))
    program, library = folder / "other_machine", folder / "libosmem.so"
    core_objects, test_objects = [str(path) for path in objects[: len(core)]], [str(path) for path in objects[-2:]]
    entry_objects = [str(path) for path in objects[len(core):-2]]
    subprocess.run([COMPILER, *core_objects, *test_objects, "-pthread", "-o", str(program)], check=True)
    subprocess.run([COMPILER, "-shared", "-nodefaultlibs", *core_objects, *entry_objects, "-Wl,-z,defs", "-o", str(library), "-lc",
                    "-lgcc"], check=True)
    return program, library


def run(arguments: list[str], variables: dict[str, str], page_bytes: int = 4096) -> str:
    settings = [part for name, value in variables.items() for part in ("-E", f"{name}={value}")]
    done = subprocess.run([EMULATOR, "-p", str(page_bytes), "-L", str(SYSTEM_ROOT), *settings, *arguments], capture_output=True,
                          text=True, timeout=240)
    if done.returncode != 0:
        sys.exit(f"{arguments} with {variables} and pages of {page_bytes} bytes: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", required=True, help="the core's sources, separated by commas")
    parser.add_argument("--entries", required=True, help="the drop-in's entry points, separated by commas")
    parser.add_argument("--version", required=True, help="the project's version")
    parser.add_argument("--flags", default="", help="compiler flags of allocators, separated by commas")
    parser.add_argument("--operations", type=int, default=30_000, help="random calls a back end")
    arguments = parser.parse_args()
    if (reason := missing()) is not None:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    core, entries = ([Path(name) for name in names.split(",")] for names in (arguments.core, arguments.entries))
    with tempfile.TemporaryDirectory() as folder:
        program, library = build(core, entries, [flag for flag in arguments.flags.split(",") if flag], arguments.version, Path(folder))
        for heap in ("region", "sbrk"):
            for page_bytes in (4096, 16384, 65536):  # the sizes that kernels for this machine are built with
                done = run([str(program), str(arguments.operations)], {"OSMEM_HEAP": heap}, page_bytes)
                print(heap, done, flush=True)
            preloaded = run([str(program), "1000"], {"OSMEM_HEAP": heap, "LD_PRELOAD": str(library)})
            print(heap, "as a drop-in:", preloaded)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Installs the build tree into an empty folder and uses it from there as a stranger would.

Proves: bench finds its worker, suites and allocators in the installed layout; a C program links osmem by pkg-config, a
C++ program by find_package(osmem), and both are served by it. Does not prove: installation by a package manager.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile
import unittest

C_PROGRAM = """
#include <osmem.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
  void* p = malloc(100);  /* linked against libosmem: malloc is osmem's */
  size_t usable = os_usable_size(p);
  os_free(p);
  printf("%zu\\n", usable);
  return 0;
}
"""

CXX_PROGRAM = """
#include <osmem.hpp>
#include <iostream>
#include <memory_resource>
#include <vector>
int main() {
  std::pmr::vector<int> a(1000, 7, osmem::resource());
  std::vector<int, osmem::Allocator<int>> b(a.begin(), a.end());
  std::cout << a.size() + b.size() + static_cast<std::size_t>(b[999]) << "\\n";
}
"""

PLAIN_PROGRAM = """
#include <string>
int main(int count, char**) { return std::string(static_cast<std::size_t>(count) * 100, 'x').empty(); }
"""

CMAKE_PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(osmem REQUIRED)
add_executable(consumer consumer.cpp)
target_link_libraries(consumer PRIVATE osmem::osmem)
"""


def run(*command: object, **options: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    build: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)
        cls.prefix = cls.root / "prefix"
        run("cmake", "--install", cls.build, "--prefix", cls.prefix)
        cls.library = next(cls.prefix.rglob("libosmem.so"))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_bench_lists_what_is_installed(self) -> None:
        listing = run(self.prefix / "bin" / "bench", "list", cwd=self.root)
        self.assertIn("osmem", listing)
        self.assertIn("larson", listing)

    def test_bench_measures_from_the_installed_tree(self) -> None:
        out = self.root / "out"
        run(self.prefix / "bin" / "bench", "--allocator=osmem", "--against=glibc", "--workload=pair", "--min-time=0.01",
            "--repetitions=1", "--threads=1", f"--out={out}", cwd=self.root)
        self.assertIn("throughput", (out / "summary.csv").read_text())

    def test_pkg_config_links_a_c_program(self) -> None:
        source = self.root / "consumer.c"
        source.write_text(C_PROGRAM)
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.library.parent / "pkgconfig")}
        flags = run("pkg-config", "--cflags", "--libs", "osmem", env=environment).split()
        program = self.root / "c-consumer"
        run("cc", source, "-o", program, *flags, f"-Wl,-rpath,{self.library.parent}")
        self.assertEqual(run(program), "112\n")

    def needs_osmem(self, program: pathlib.Path) -> bool:
        return "libosmem.so" in run("readelf", "--dynamic", program)

    def test_a_program_that_names_no_function_of_ours_keeps_the_library(self) -> None:
        folder = self.root / "plain"
        folder.mkdir()
        (folder / "consumer.cpp").write_text(PLAIN_PROGRAM)
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.library.parent / "pkgconfig")}
        flags = run("pkg-config", "--cflags", "--libs", "osmem", env=environment).split()
        run("c++", "-Wl,--as-needed", folder / "consumer.cpp", "-o", folder / "by-pkg-config", *flags)
        self.assertTrue(self.needs_osmem(folder / "by-pkg-config"))
        (folder / "CMakeLists.txt").write_text(CMAKE_PROJECT)
        run("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--as-needed")
        run("cmake", "--build", folder / "build")
        self.assertTrue(self.needs_osmem(folder / "build" / "consumer"))
        run(folder / "build" / "consumer")

    def test_find_package_links_a_cxx_program(self) -> None:
        source = self.root / "project"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(CMAKE_PROJECT)
        (source / "consumer.cpp").write_text(CXX_PROGRAM)
        run("cmake", "-S", source, "-B", source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", source / "build")
        self.assertEqual(run(source / "build" / "consumer"), "2007\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, help="the build tree")
    arguments = parser.parse_args()
    Installed.build = arguments.build.resolve()
    unittest.main(argv=[__file__], verbosity=2)

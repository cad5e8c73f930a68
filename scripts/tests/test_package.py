"""Makes the Debian package of the build tree, lists it, and runs bench from where it was unpacked.

Proves: the package holds osmem (both libraries, headers, pkg-config file, CMake package) and bench (worker, modules, suites, manual page,
completions), names what it depends on, and measures a cell without the build tree's files. Does not prove: an installation by dpkg.
Skipped, with the reason, without dpkg-dev. Reads OSMEM_BUILD, a build tree with `all` built.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = os.environ.get("OSMEM_BUILD", str(Path(__file__).resolve().parents[2] / "build/release"))
WANTED = ["lib/libosmem.so", "lib/libosmem-hardened.so", "include/osmem/osmem.h", "include/osmem/osmem.hpp", "pkgconfig/osmem.pc", "osmem-config.cmake",
          "bin/bench", "bench-worker", "lib/workloads/", "osmem/suites/quick.suite", "man/man1/bench.1", "bash-completion/completions/bench",
          "zsh/vendor-completions/_bench", "fish/vendor_completions.d/bench.fish"]


def run(*command: object, **options: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


@unittest.skipUnless(all(map(shutil.which, ("dpkg-deb", "dpkg-shlibdeps"))), "no dpkg-shlibdeps here: apt-get install dpkg-dev")
class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        run("cpack", "-G", "DEB", "--config", f"{BUILD}/CPackConfig.cmake", "-B", cls.folder / "package", cwd=cls.folder)
        cls.deb = next((cls.folder / "package").glob("*.deb"))

    def test_it_holds_what_is_installed(self) -> None:
        listing = run("dpkg-deb", "--contents", self.deb)
        self.assertEqual([name for name in WANTED if name not in listing], [])
        paths = [line.split()[5] for line in listing.splitlines()]
        self.assertEqual([path for path in paths if path != "./" and not path.startswith("./usr/")], [])

    def test_it_names_what_it_needs(self) -> None:
        self.assertEqual(run("dpkg-deb", "--field", self.deb, "Package").strip(), "osmem")
        self.assertIn("libc6", run("dpkg-deb", "--field", self.deb, "Depends"))

    def test_bench_runs_from_where_it_was_unpacked(self) -> None:
        run("dpkg-deb", "--extract", self.deb, self.folder / "root")
        out = self.folder / "out"
        run(self.folder / "root/usr/bin/bench", "--allocator=osmem", "--against=glibc", "--workload=pair", "--threads=1", "--repetitions=1",
            "--min-time=0.01", f"--out={out}", cwd=self.folder)
        self.assertIn(",osmem,", (out / "summary.csv").read_text())
        self.assertIn(str(self.folder / "root/usr"), (out / "environment.json").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Runs scripts/slurm/submit.sh on a Slurm of one node, started here on the loopback address with files of its own.

Proves: the array's shards and the merge that depends on them leave the whole plan as one run; a shard that fails leaves no merge;
wrong words are refused before anything is submitted. Skipped, with the reason, without root or Slurm (apt-get install slurmctld
slurmd slurm-client). Reads OSMEM_BENCH.
"""
from __future__ import annotations

import csv
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

SUBMIT = Path(__file__).resolve().parents[1] / "slurm" / "submit.sh"
BENCH = os.environ.get("OSMEM_BENCH", str(SUBMIT.parents[2] / "build/release/bin/bench"))
PLAN = ["--allocator=limit", "--against=glibc", "--workload=pair,empirical", "--threads=1,2", "--min-time=0.002", "--repetitions=1"]
WAIT_S = 240  # for what takes seconds, on a host that does much else
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/linear
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
ReturnToService=2
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class WrongWords(unittest.TestCase):
    def refused(self, *words: str, **environment: str) -> str:
        done = subprocess.run([SUBMIT, *words], capture_output=True, text=True, timeout=60, env={**os.environ, **environment})
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr

    def test_wrong_words_are_refused(self) -> None:
        out = "/nonexistent/out"
        self.assertIn("how many shards", self.refused())
        self.assertIn("'0'", self.refused("0", out, "--", *PLAN))
        self.assertIn("after --", self.refused("2", out, *PLAN))
        self.assertIn("what to measure", self.refused("2", out, "--"))
        self.assertIn("--shard is set here", self.refused("2", out, "--", *PLAN, "--shard=1/2"))
        self.assertIn("--out is set here", self.refused("2", out, "--", *PLAN, "--out", "x"))


@unittest.skipUnless(all(map(shutil.which, ("slurmctld", "slurmd", "sbatch"))), "no Slurm here: apt-get install slurmctld slurmd slurm-client")
@unittest.skipUnless(os.geteuid() == 0, "slurmd starts jobs as root only")
class OneNode(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        holder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        host = socket.gethostname().split(".")[0]
        controller, node = free_ports(2)
        for name in ("state", "spool"):
            (cls.folder / name).mkdir()
        configuration = cls.folder / "slurm.conf"
        configuration.write_text(CONFIGURATION.format(host=host, folder=cls.folder, controller=controller, node=node, cpus=os.cpu_count()))
        cls.environment = {**os.environ, "SLURM_CONF": str(configuration), "BENCH": BENCH}
        for command in (["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", host]):
            with (cls.folder / f"{command[0]}.out").open("w") as log:
                daemon = subprocess.Popen([*command, "-f", str(configuration)], stdout=log, stderr=log, env=cls.environment)
            cls.addClassCleanup(cls.end, daemon)
        cls.wait_for("the node", lambda: "idle" in cls.slurm("sinfo", "-h", "-o", "%T"))

    @staticmethod
    def end(daemon: subprocess.Popen[bytes]) -> None:
        daemon.terminate()
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    @classmethod
    def slurm(cls, *words: str) -> str:
        return subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S, env=cls.environment).stdout

    @classmethod
    def wait_for(cls, what: str, done: object) -> None:
        end = time.monotonic() + WAIT_S
        while not done():
            if time.monotonic() > end:
                logs = "\n".join(path.read_text()[-2000:] for path in sorted(cls.folder.glob("*.log")) + sorted(cls.folder.glob("*.out")))
                raise AssertionError(f"{what} did not come within {WAIT_S} s\n{logs}")
            time.sleep(0.5)

    def submit(self, shards: int, out: Path, *words: str) -> None:
        done = subprocess.run([SUBMIT, str(shards), out, "--", *words], capture_output=True, text=True, timeout=WAIT_S, env=self.environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("joins them", done.stdout)
        self.wait_for("the end of all jobs", lambda: not self.slurm("squeue", "-h").strip())

    def logs(self, out: Path) -> str:
        return "\n".join(f"{path.name}: {path.read_text()}" for path in sorted((out / "log").iterdir()))

    def test_an_array_of_shards_is_joined(self) -> None:
        out = self.folder / "out"
        self.submit(2, out, *PLAN)
        self.assertTrue((out / "merged" / "samples.csv").exists(), self.logs(out))
        with (out / "merged" / "samples.csv").open(newline="") as file:
            cells = {(row["workload"], row["threads"]) for row in csv.DictReader(file)}
        self.assertEqual(cells, {(workload, threads) for workload in ("pair", "empirical") for threads in "12"})

    def test_nothing_is_joined_if_a_shard_fails(self) -> None:
        out = self.folder / "failed"
        self.submit(2, out, "--allocator=nosuch")
        self.assertFalse((out / "merged").exists())
        self.assertIn("nosuch", self.logs(out))


if __name__ == "__main__":
    unittest.main(verbosity=2)

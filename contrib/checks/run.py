"""All that `make test` checks, in lanes beside each other; a step that fails does not keep the others from running.

Guests spend most of their time asleep, so the plugins' tests run beside everything else. The last lines of the output are
pytest's closing lines, one for each suite, and their sum.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLOSING = re.compile(r"=+ (?P<counts>\d+ \w+.*|no tests ran) in (?P<seconds>[\d.]+)s.* =+")
QUICK_TESTBED = (
    "test_bootsector.py",
    "test_console.py",
    "test_fat_gpt_cpio.py",
    "test_libvirtd.py",
    "test_proxy.py",
    "test_screenshot.py",
)
"""The other files of the testbed's tests boot a Linux guest, which the tests of the KVM backend do as well."""
AT_A_TIME = 7
"""Lanes beside each other: with more, guests of two processors boot too slowly for whoever waits for them."""

KEEP = ("-o", "tmp_path_retention_count=60")
"""Temporary directories that pytest leaves: those of all lanes, which must not remove each other's at the same time."""


@dataclass(frozen=True)
class Step:
    """One command. A suite is one whose output ends with pytest's closing line."""

    name: str
    command: tuple[str, ...]
    suite: bool = True


@dataclass(frozen=True)
class Result:
    """How a step ended."""

    step: Step
    code: int
    seconds: float
    processor: float
    """Seconds of a processor that it and what it waited for took."""
    closing: re.Match[str] | None

    @property
    def failed(self) -> bool:
        """Whether it failed, or is a suite that never came to its end."""
        return self.code != 0 or (self.step.suite and self.closing is None)


def lanes(*, full: bool) -> list[list[Step]]:
    """Return the steps; each pytest runs in a process of its own, since a process can hold one embedded QEMU root."""
    marks = () if full else ("-m", "not full")
    pytest = (sys.executable, "-m", "pytest", *KEEP, *marks)
    testbed = ROOT / "contrib" / "testbed" / "tests"
    files = [testbed] if full else [testbed / name for name in QUICK_TESTBED]
    plugins = [lane for tests in sorted((ROOT / "plugins").glob("*/tests")) for lane in plugin_lanes(tests, pytest)]
    guests = [lane for lane in plugins if lane[0].name.startswith("hvsdk-kvm")]
    return [
        *guests,
        [
            Step("lint", ("make", "--no-print-directory", "lint"), suite=False),
            Step("docs", ("make", "--no-print-directory", "docs"), suite=False),
            Step("core", pytest),
        ],
        [
            Step("testbed", (*pytest, *map(str, files))),
            Step("simulators", (*pytest, str(ROOT / "contrib" / "simulators" / "tests"))),
        ],
        *(lane for lane in plugins if lane not in guests),
    ]


def plugin_lanes(tests: Path, pytest: tuple[str, ...]) -> list[list[Step]]:
    """Return one lane for each run of the conformance kit, and two for the rest of a plugin's tests.

    Guests sleep most of the time, so that more lanes than processors are quicker.
    """
    kits = sorted(tests.glob("test_*conformance*.py"))
    others = sorted(set(tests.glob("test_*.py")) - set(kits))
    name = tests.parent.name
    parts = [(f"{name} {kit.stem.removeprefix('test_')}", [kit]) for kit in kits]
    parts += [(f"{name} {half + 1}/2", others[half::2]) for half in range(2) if others[half::2]]
    return [[Step(part, (*pytest, *map(str, files)))] for part, files in parts]


def environment() -> dict[str, str]:
    """Return the environment of the steps: compiled modules are kept, since many tests start a Python of their own."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(step: Step) -> Result:
    """Run one step, and show what it said when it has ended, so that lanes do not mix."""
    print(f"---- {step.name} begins", flush=True)
    began = time.monotonic()
    with subprocess.Popen(
        step.command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    print(f"\n---- {step.name}: {' '.join(step.command)}\n{output}", flush=True)
    closings = [found for line in output.splitlines() if (found := CLOSING.fullmatch(line.strip()))]
    return Result(
        step, process.returncode, seconds, usage.ru_utime + usage.ru_stime, closings[-1] if closings else None
    )


def run_all(work: list[list[Step]]) -> list[Result]:
    """Run the lanes beside each other, the first ones first, and the steps of each one after the other."""
    with ThreadPoolExecutor(min(len(work), AT_A_TIME)) as pool:
        return list(chain.from_iterable(pool.map(lambda lane: [run(step) for step in lane], work)))


def report(results: list[Result], seconds: float) -> None:
    """Print one line for each step and, last, the sum of the suites as pytest would put it."""
    print("\n---- summary")
    total: Counter[str] = Counter()
    for result in results:
        if result.closing is not None:
            said = f"{result.closing['counts']} in {result.closing['seconds']}s"
            total.update({word: int(number) for number, word in re.findall(r"(\d+) (\w+)", result.closing["counts"])})
        elif result.step.suite:
            said = "never came to its end"
        else:
            said = f"{'failed' if result.failed else 'ok'} in {result.seconds:.2f}s"
        print(
            f"{'FAILED' if result.failed else 'passed'}  {result.step.name:36} {said}, {result.processor:.0f} s of a processor"
        )
    total["failed"] += sum(result.failed for result in results if not (result.closing and result.closing["counts"]))
    counts = ", ".join(f"{number} {word}" for word, number in total.items() if number) or "no tests ran"
    print(f"{'=' * 20} {counts} in {seconds:.2f}s {'=' * 20}", flush=True)


def main() -> int:
    """Run all steps, and return 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long matrices too")
    began = time.monotonic()
    results = run_all(lanes(full=parser.parse_args().full))
    report(results, time.monotonic() - began)
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())

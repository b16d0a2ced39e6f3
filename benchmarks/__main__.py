"""Every measurement: `make bench`, or `.venv/bin/python -m benchmarks [--quick] [--only NAME]`.

Everything is on loopback. The figures depend on the machine; what counts are the ratios within one run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .crowd import in_flight, scaling, throughput
from .deployment import KINDS, POSTGRES, SQLITE, TWO, Deployment, deployed
from .elsewhere import elsewhere
from .flow import first_event, overhead
from .load import Run, warm_up
from .recovery import recovery
from .report import RESULTS, Report

NAMES = ("overhead", "in_flight", "first_event", "throughput", "elsewhere", "recovery")
QUICK_LEVELS = (1, 25, 100)


def main() -> None:
    """Measure, print and write."""
    arguments = read_arguments()
    kinds = (SQLITE,) if arguments.quick else tuple(arguments.on or KINDS)
    names = arguments.only or NAMES
    report = Report()
    runs: dict[str, Run | None] = {}
    for kind in kinds:
        with report.of(kind):
            try:
                runs[kind] = measure(kind, report, names, quick=arguments.quick)
            except Exception as error:
                report.failed("start", error)
    one, two = runs.get(POSTGRES), runs.get(TWO)
    if one and two:
        with report.of(TWO):
            scaling(one, two, report)
    report.table()
    report.write(arguments.out)
    if arguments.publish:
        report.publish()
    raise SystemExit(1 if report.failures else 0)


def measure(kind: str, report: Report, names: Sequence[str], *, quick: bool) -> Run | None:
    """The measurements of one deployment; that of the throughput, where it was made, to compare with others'."""
    run = None
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, deployed(kind, Path(folder)) as deployment:
        warm_up(deployment)
        for name, measurement in measurements(quick).items():
            if name not in names:
                continue
            try:
                found = measurement(deployment, report)
                run = found or run
            except Exception as error:  # one that fails must not cost the figures of the others
                report.failed(name, error)
    return run


def measurements(quick: bool) -> dict[str, Callable[[Deployment, Report], Run | None]]:
    """What can be measured, by name, in the order it is done."""
    return {
        "overhead": lambda deployment, report: overhead(deployment, report, 3 if quick else 5),
        "in_flight": lambda deployment, report: in_flight(deployment, report, *([QUICK_LEVELS] if quick else [])),
        "first_event": first_event,
        "throughput": lambda deployment, report: throughput(deployment, report, 50 if quick else 200),
        "elsewhere": lambda deployment, report: elsewhere(deployment, report) if len(deployment.servers) == 2 else None,
        "recovery": recovery,
    }


def read_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure the server, in front of fake vendors.")
    parser.add_argument("--quick", action="store_true", help="SQLite only, at most 100 in flight: about two minutes")
    parser.add_argument("--only", action="append", choices=NAMES, help="this measurement alone; may be repeated")
    parser.add_argument("--on", action="append", choices=KINDS, help="this deployment alone; may be repeated")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures are written as JSON")
    parser.add_argument("--publish", action="store_true", help="put the table into benchmarks/README.md")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()

"""`python -m bench`: measure, print beside the floors and aims, and keep what was measured."""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import uvloop

from bench import report
from bench.context import Bench
from bench.ejabberd import NotInstalled
from bench.figures import (
    against_ejabberd,
    connector_sends,
    crowd,
    erasure,
    exchange,
    generator,
    history,
    latency,
    publish,
    sanitation,
    start,
    transfer,
    upload_urls,
    webhooks,
)
from bench.machine import Machine, look_at_machine
from bench.quiet import settle
from bench.report import Result

FIGURES: dict[str, Callable[[Bench], AsyncIterator[Result]]] = {
    "generator": generator.measure,
    "start": start.measure,
    "publish": publish.measure,
    "latency": latency.measure,
    "upload-urls": upload_urls.measure,
    "transfer": transfer.measure,
    "exchange": exchange.measure,
    "sanitation": sanitation.measure,
    "erasure": erasure.measure,
    "connector": connector_sends.measure,
    "webhooks": webhooks.measure,
    "history": history.measure,
    "crowd": crowd.measure,
    "ejabberd": against_ejabberd.measure,
}
"""In this order: ratios need ours first."""


PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
RESULTS, AFTER_RESULTS = "## Results\n", "\n## Where the time goes"


def main() -> int:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="talkwire-bench-", dir=options.data) as folder:
        Path(folder).chmod(0o755)  # ejabberd's PostgreSQL runs as somebody else below it
        if options.profile:
            options.profile.mkdir(parents=True, exist_ok=True)
        machine = look_at_machine(Path(folder))
        print(f"{machine}\n\n{report.heading()}", flush=True)
        bench = Bench(options.seconds, Path(folder), measured={}, profiles=options.profile)
        results, failed = uvloop.run(_measure_all(bench, options.only or list(FIGURES)))
    _keep(options, results, machine)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=FIGURES, help="measure this; may be repeated")
    parser.add_argument("--seconds", type=float, default=10, help="how long each rate is watched")
    parser.add_argument("--data", type=Path, default=Path("/var/tmp"), help="a folder on the disk to measure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here as JSON")
    parser.add_argument("--docs", action="store_true", help="put the results into docs/benchmarks.md")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="say here where the server's time goes")
    return parser


async def _measure_all(bench: Bench, names: Sequence[str]) -> tuple[list[Result], bool]:
    """Measure one after the other. A figure that fails is told and does not keep the others from being measured."""
    results: list[Result] = []
    failed = False
    gc.freeze()
    for name in names:
        await settle(bench.folder)
        begun = time.perf_counter()
        try:
            async for result in FIGURES[name](bench):
                bench.measured[result.figure] = result.value
                results.append(result)
                print(f"{report.line(result)}\n    {result.note}".rstrip(), flush=True)
        except NotInstalled as absent:
            print(f"{name}: left out, {absent} is not installed", flush=True)
        except Exception as failure:
            failed = True
            print(f"{name}: FAILED, {_reason(failure)}", file=sys.stderr, flush=True)
        print(f"    ({name}: {time.perf_counter() - begun:.0f} s)", flush=True)
    return results, failed


def _reason(failure: BaseException) -> str:
    """Return the first real failure inside groups of them."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return f"{type(failure).__name__}: {failure}"


def _keep(options: argparse.Namespace, results: Sequence[Result], machine: Machine) -> None:
    if options.json:
        report.save(options.json, results, machine)
    if options.docs:
        text = PAGE.read_text()
        start = text.index(RESULTS) + len(RESULTS)
        PAGE.write_text(
            f"{text[:start]}\n{report.markdown(results, machine)}\n{text[text.index(AFTER_RESULTS) :]}"
        )


if __name__ == "__main__":
    sys.exit(main())

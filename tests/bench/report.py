"""Results beside the figures we are held to, printed as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.machine import Machine


@dataclass(frozen=True)
class Result:
    """One measured number. `note` says what it cost, and what else is worth knowing."""

    figure: str
    value: float
    unit: str
    note: str = ""


@dataclass(frozen=True)
class Target:
    floor: float
    aim: float
    less_is_better: bool = False

    def verdict(self, value: float) -> str:
        """Return `aim`, `floor` or `below`: the best that holds."""
        sign = -1 if self.less_is_better else 1
        if sign * value >= sign * self.aim:
            return "aim"
        return "floor" if sign * value >= sign * self.floor else "below"


TARGETS = {
    "publish, 8 in flight": Target(40_000, 60_000),
    "publish, 1 in flight": Target(14_000, 20_000),
    "publish ÷ ejabberd without archive, 8 in flight": Target(0.5, 1),
    "publish ÷ ejabberd without archive, 1 in flight": Target(0.35, 0.5),
    "publish ÷ ejabberd with archive, 8 in flight": Target(8, 10),
    "latency p99": Target(5, 3, less_is_better=True),
    "latency p99 during replay and log-ins": Target(25, 15, less_is_better=True),
    "memory per idle socket": Target(25, 18, less_is_better=True),
    "upload-URL answers": Target(10_000, 15_000),
    "file exchange": Target(500, 900),
    "PUT of 3 MB files": Target(400, 600),
    "file exchange with rebuilding ÷ bare pyvips": Target(0.8, 0.9),
    "12 megapixels to 800 pixels ÷ bare pyvips": Target(0.8, 0.8),
    "sends over the Connector API": Target(8_000, 8_000),
    "webhook after commit p99": Target(20, 20, less_is_better=True),
    "delivery of waiting webhooks": Target(2_000, 2_000),
    "page of the past, the slowest kind": Target(50, 50, less_is_better=True),
    "erasing 1,000 files": Target(60, 60, less_is_better=True),
    "publish of a judged file ÷ text": Target(1, 1),
    "start to first answer": Target(2, 1, less_is_better=True),
    "reconnect storm": Target(30, 15, less_is_better=True),
}
"""Floor and aim of each figure, on two cores, generator on the same machine. A figure not named here is only told."""


def line(result: Result) -> str:
    target = TARGETS.get(result.figure)
    bounds = (
        f"{_number(target.floor):>10} {_number(target.aim):>10}  {target.verdict(result.value):<6}"
        if target
        else ""
    )
    return f"{result.figure:<48} {_number(result.value):>10} {result.unit:<12} {bounds}".rstrip()


def heading() -> str:
    return f"{'figure':<48} {'measured':>10} {'unit':<12} {'floor':>10} {'aim':>10}  holds"


def markdown(results: Sequence[Result], machine: Machine) -> str:
    """Return the table as `docs/benchmarks.md` shows it."""
    rows = [
        f"Measured on {machine}.",
        "",
        "| figure | measured | floor | aim | notes |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        target = TARGETS.get(result.figure)
        floor, aim = (_number(target.floor), _number(target.aim)) if target else ("", "")
        rows.append(
            f"| {result.figure} | {_number(result.value)} {result.unit} | {floor} | {aim} | {result.note} |"
        )
    return "\n".join(rows)


def save(path: Path, results: Sequence[Result], machine: Machine) -> None:
    """Write everything as JSON."""
    content = {
        "machine": dataclasses.asdict(machine),
        "results": [
            {**dataclasses.asdict(result), **_bounds(TARGETS.get(result.figure), result.value)}
            for result in results
        ],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1))


def _bounds(target: Target | None, value: float) -> dict[str, object]:
    return {"floor": target.floor, "aim": target.aim, "holds": target.verdict(value)} if target else {}


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"

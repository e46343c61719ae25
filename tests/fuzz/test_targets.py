"""The fuzz targets for a moment: over their seeds, over what Hypothesis makes of them, and under atheris."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.seeds import seeds_of
from fuzz.targets import TARGETS

TESTS = Path(__file__).resolve().parent.parent


@st.composite
def mutations(draw: st.DrawFn, target: str) -> bytes:
    """A seed with a few edits: bytes changed, cut out, put in, taken from another seed."""
    seeds = seeds_of(target)
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 8))
        kind = draw(st.sampled_from(["change", "cut", "put", "splice", "end"]))
        if kind == "change":
            data[at : at + size] = draw(st.binary(min_size=size, max_size=size))
        elif kind == "cut":
            del data[at : at + size]
        elif kind == "put":
            data[at:at] = draw(st.binary(max_size=16))
        elif kind == "end":
            del data[at:]
        else:
            other = draw(st.sampled_from(seeds))
            data[at:] = other[draw(st.integers(0, len(other))) :]
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_real_is_taken_as_it_is(target: str) -> None:
    for seed in seeds_of(target):
        TARGETS[target](seed)


@given(data=st.data())
@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_are_read_or_refused(target: str, data: st.DataObject) -> None:
    TARGETS[target](data.draw(st.binary(max_size=400)))


@given(data=st.data())
@pytest.mark.parametrize("target", TARGETS)
def test_what_looks_almost_real_is_read_or_refused(target: str, data: st.DataObject) -> None:
    TARGETS[target](data.draw(mutations(target)))


@pytest.mark.parametrize("seconds", [1, 20, 300])
def test_how_many_examples_there_are_goes_by_the_seconds_that_are_given(seconds: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import conftest; print(conftest.settings.get_profile('fuzz').max_examples)"],
        check=True,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": f"{TESTS.parent / 'src'}{os.pathsep}{TESTS}",
            "FUZZ_SECONDS": str(seconds),
        },
        timeout=60,
    )
    assert int(done.stdout) == 66 * seconds


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed (it has no wheel here)")
@pytest.mark.parametrize("target", TARGETS)
def test_atheris_finds_nothing_in_a_moment(target: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", target, "--runs", "2000", "--corpus", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent / 'src'}{os.pathsep}{TESTS}"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]

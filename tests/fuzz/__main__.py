"""Coverage-guided fuzzing with atheris: `python -m fuzz [TARGET] [--seconds N | --runs N] [--corpus DIR]`.

Without a target, all of them, one after the other. What is new and interesting stays in the corpus folder
for the next run; what breaks a target is written beside it as `crash-…`, and can be given as TARGET's FILE.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["talkwire"]):
    from fuzz.seeds import seeds_of
    from fuzz.targets import TARGETS

LONGEST_BYTES = 100_000


def main() -> int:
    given = _arguments()
    if given.target is None:
        codes = [_run_apart(target, given) for target in TARGETS]
        return int(any(codes))
    if given.file:
        TARGETS[given.target](Path(given.file).read_bytes())
        return 0
    folder = Path(given.corpus) / given.target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(given.target)):
        (folder / f"seed-{number}").write_bytes(seed)
    flags = [f"-max_len={LONGEST_BYTES}", "-timeout=10", f"-artifact_prefix={folder.parent}/{given.target}-"]
    flags.append(f"-runs={given.runs}" if given.runs else f"-max_total_time={given.seconds}")
    atheris.Setup([sys.argv[0], *flags, str(folder)], TARGETS[given.target])
    atheris.Fuzz()
    return 0


def _run_apart(target: str, given: argparse.Namespace) -> int:
    """libFuzzer ends its process."""
    print(f"--- {target}", flush=True)
    limit = ["--runs", str(given.runs)] if given.runs else ["--seconds", str(given.seconds)]
    return subprocess.run(
        [sys.executable, "-m", "fuzz", target, *limit, "--corpus", given.corpus], check=False
    ).returncode


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("target", nargs="?", choices=list(TARGETS))
    parser.add_argument("file", nargs="?", help="run the target over this file alone")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--corpus", default=".fuzz")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""What all tests share: Hypothesis profiles, and the rule that nothing is skipped in CI."""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["database", "files_desk", "identity_rooms", "keys", "erasure_rooms"]

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "300"))
EXAMPLES_PER_SECOND = 66
"""The slowest property test makes 160, so that each keeps to its seconds on a slower machine, too."""

settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=max(1, FUZZ_SECONDS * EXAMPLES_PER_SECOND),
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("default")

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
SKIPPED = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = {}
    config.pluginmanager.register(SkippedTests(config), "talkwire-skipped")


class SkippedTests:
    """Names each skipped test and why at the end of the run, and fails the run for it in CI."""

    def __init__(self, config: pytest.Config) -> None:
        self._skipped = config.stash[SKIPPED]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped[report.nodeid] = _reason(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._skipped[report.nodeid] = _reason(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if IN_CI and self._skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._skipped:
            return
        terminalreporter.section("skipped, and why")
        for name, reason in sorted(self._skipped.items()):
            terminalreporter.line(f"{name}: {reason}")
        if IN_CI:
            terminalreporter.line("In CI nothing is skipped: the run fails for the tests above.", red=True)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ")

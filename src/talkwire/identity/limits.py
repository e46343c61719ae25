"""The numbers identity is given; the server's settings fill them in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SignInLimits:
    """How long agents stay signed in, and how often they may fail to."""

    idle_seconds: int = 1_800
    session_seconds: int = 43_200
    failures_per_minute: int = 10


@dataclass(frozen=True)
class ConsumerLimits:
    """Lives of consumers' tokens, and how many may be had. Source: docs/protocol.md 3.4, Appendix A14."""

    token_seconds: int = 3_600
    anonymous_seconds: int = 600
    renewable_hours: int = 730
    sign_ups_per_minute: int = 1_000  # of one address
    sign_ups_per_second: int = 200  # of all together; who comes faster waits in line
    profile_bytes: int = 65_536

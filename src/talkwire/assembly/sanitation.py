"""The workers that rebuild pictures, as the settings want them."""

from talkwire.assembly.foundation import Foundation
from talkwire.sanitation.model import Limits
from talkwire.sanitation.service import Sanitizer
from talkwire.settings import Sanitation

_MEGA = 1_000_000


async def open_sanitizer(base: Foundation) -> Sanitizer:
    """Begin the workers. Whoever opens closes."""
    numbers = base.settings.sanitation
    sanitizer = await Sanitizer.open(numbers.rebuild_workers, limits_of(numbers))
    base.metrics.watch(
        "rebuild_confinement",
        "What the processes that rebuild pictures gave up: 1, or 0 where the system does not allow it.",
        sanitizer.confinement,
    )
    base.metrics.watch(
        "rebuild_workload", "Processes that rebuild pictures, and pictures that wait.", sanitizer.workload
    )
    base.metrics.watch("rebuild_verdicts", "Pictures rebuilt, or rejected by reason.", sanitizer.verdicts)
    return sanitizer


def limits_of(numbers: Sanitation) -> Limits:
    return Limits(
        pixels=numbers.picture_megapixels * _MEGA,
        side=numbers.picture_side,
        cpu_seconds=numbers.rebuild_cpu_seconds,
        wall_seconds=numbers.rebuild_wall_seconds,
        memory_bytes=numbers.rebuild_memory_bytes,
        queue=numbers.rebuild_queue,
    )

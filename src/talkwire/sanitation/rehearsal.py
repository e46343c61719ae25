"""Small jobs that a worker does when it is confined and before it is ready: what cannot work shows here.

They also make the decoders, the encoders and the colour engine allocate what they keep, so that the limit of
memory counts from there. In the worker only.
"""

import pyvips

from talkwire.sanitation import pixels
from talkwire.sanitation.model import Limits, Wish

_SIDE = 64


def rehearse(limits: Limits) -> None:
    """One of each kind. Raises what a worker that cannot work raises."""
    grey = pyvips.Image.identity().copy(interpretation="b-w").resize(_SIDE / 256, vscale=_SIDE)
    colours = grey.bandjoin([grey.rot180(), grey.fliphor()]).copy(interpretation="srgb")
    inks = colours.bandjoin(grey).copy(interpretation="cmyk")
    for encoded in (
        colours.jpegsave_buffer(profile="srgb", interlace=True),
        inks.jpegsave_buffer(keep="none"),
        colours.bandjoin(grey).pngsave_buffer(keep="none"),
        grey.cast("ushort").copy(interpretation="grey16").pngsave_buffer(keep="none", interlace=True),
        colours.gifsave_buffer(keep="none"),
    ):
        pixels.rebuild(encoded, Wish(), limits)
        pixels.rebuild(encoded, Wish(long_side=_SIDE // 3), limits)
        pixels.rebuild_preview(encoded, Wish(), limits)

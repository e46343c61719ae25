"""For whoever watches the node: `/healthz`, `/readyz` and `/metrics`.

Source: none prescribed; the names are those that Kubernetes and Prometheus users expect.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[None]]
"""Returns when its part works, raises what is wrong otherwise."""


def routes(
    checks: Mapping[str, Check],
    is_draining: Callable[[], bool],
    render_metrics: Callable[[], bytes],
) -> list[web.RouteDef]:
    """The routes of this page. `checks` names what must work before traffic is sent here."""
    asking: asyncio.Task[dict[str, str]] | None = None

    async def check_together() -> dict[str, str]:
        """One look for all who ask at the same time: whoever floods us with questions tires no disk."""
        nonlocal asking
        if asking is None or asking.done():
            asking = asyncio.create_task(_run_checks(checks))
        return dict(await asyncio.shield(asking))

    async def healthz(request: web.Request) -> web.Response:
        """The process lives and its loop turns; a failure here asks for a restart."""
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def readyz(request: web.Request) -> web.Response:
        """Send traffic here, or (503) not now."""
        results = await check_together()
        if is_draining():
            results["draining"] = "yes"
        ready = all(result == "ok" for result in results.values())
        return web.json_response(
            {"ready": ready, "checks": results},
            status=200 if ready else 503,
            headers={"Cache-Control": "no-store"},
        )

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(
            body=render_metrics(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
    ]


async def _run_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    results = await asyncio.gather(*(_run_check(check) for check in checks.values()))
    return dict(zip(checks, results, strict=True))


async def _run_check(check: Check) -> str:
    """One word for the world; the cause is in the log of whoever failed, not in a public answer."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return "no answer"
    except Exception:  # noqa: BLE001 -- whatever it is, this node is not ready; the answer says which part
        return "failing"
    return "ok"

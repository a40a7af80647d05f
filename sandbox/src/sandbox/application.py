"""The web application, for the process and for tests."""

from aiohttp import web

from sandbox.api import Api
from sandbox.control import Control
from sandbox.faults import Faults
from sandbox.sandbox import Sandbox
from sandbox.three_d_secure import AuthenticationPage


def application(
    sandbox: Sandbox,
    faults: Faults,
    latency: tuple[float, float] = (0.0, 0.0),
    *,
    open_controls: bool = False,
) -> web.Application:
    """Stripe's API, the 3D Secure page and the controls."""
    app = web.Application()
    app.add_routes(Api(sandbox, faults, latency).routes())
    app.add_routes(AuthenticationPage(sandbox).routes())
    app.add_routes(Control(sandbox, faults, is_open=open_controls).routes())
    return app


async def listening(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, str]:
    """Listen; returns the runner, which the caller cleans up, and the address. Port 0 takes a free one.

    Raises:
        OSError: the port is in use.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, f"http://{host}:{runner.addresses[0][1]}"

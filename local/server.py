"""The local AWS as a process: the emulator with our seams. Started by local.aws, which sets its environment."""

import asyncio
import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app

from local import seams


async def run() -> None:
    """Serve until SIGTERM or SIGINT; then save the state and end at once, whatever connections and threads wait."""
    # Bursts of Lambda workers and S3 connections pass the usual soft limit (256 on macOS, 1024 on Linux).
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 10_240, hard))
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    if os.environ["USE_SSL"] == "1":
        config.certfile, config.keyfile = os.environ["MINISTACK_SSL_CERT"], os.environ["MINISTACK_SSL_KEY"]
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)

    async def application(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        events = iter((receive(), _shutdown(told)))
        await app(scope, lambda: next(events), send)
        logging.shutdown()
        os._exit(0)

    # Hypercorn's own shutdown waits half a minute for idle TLS connections before the emulator may save its state.
    await serve(application, config, shutdown_trigger=asyncio.Event().wait)


async def _shutdown(told: asyncio.Event) -> dict[str, str]:
    await told.wait()
    return {"type": "lifespan.shutdown"}


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if os.environ["NIGHTLAKE_DETACHED"] == "0":
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    seams.install()
    asyncio.run(run())

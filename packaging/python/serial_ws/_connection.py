"""One connection to serial-ws: how it begins, and why it cannot."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Any, Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from ._errors import Rejected, Unreachable, Untrusted

CONNECT_TIMEOUT = 10.0
"""Seconds that an attempt to connect may take."""

PING_INTERVAL = 20.0
"""Seconds between pings, which find out that the other end has gone without a word."""

PING_TIMEOUT = 40.0
"""Seconds after which a ping without an answer ends the connection; serial-ws has as much patience."""

FINAL_CODES = (4400, 4409, 4410)
"""Close codes after which the next attempt would end alike."""

NOT_FOUND = 4404
"""The close code for a port that does not exist, or a device that is not plugged in yet."""

TEMPORARY_STATUSES = (429, 500, 502, 503, 504)
"""Status codes of HTTP, also of a proxy, that may be others at the next attempt."""


@dataclass(frozen=True)
class Target:
    """What a connection needs besides its address."""

    headers: dict[str, str]
    tls: ssl.SSLContext | Literal[True] | None


async def open_connection(url: str, target: Target) -> tuple[ClientConnection, dict[str, Any]]:
    """Connects and waits for the greeting.

    Raises Rejected or Untrusted where retrying does not help, and Unreachable otherwise.
    """
    try:
        socket = await connect(
            url,
            additional_headers=target.headers,
            ssl=target.tls,
            compression=None,
            proxy=None,
            # serial-ws bounds its lines itself.
            max_size=None,
            open_timeout=CONNECT_TIMEOUT,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            close_timeout=1,
        )
    except InvalidStatus as error:
        body = (error.response.body or b"").decode(errors="replace").strip()
        status = error.response.status_code
        if status in TEMPORARY_STATUSES:
            raise Unreachable(f"{_shown(url)} answered {status}: {body}") from error
        raise Rejected(status, body) from error
    except ssl.SSLCertVerificationError as error:
        # Only an error of OpenSSL itself has such a message.
        why = getattr(error, "verify_message", "") or error.args[0]
        raise Untrusted(
            f"the certificate of serial-ws at {_shown(url)} is not trusted: {why}. "
            "If serial-ws made it itself, pass its fingerprint, which `serial-ws tls` shows there"
        ) from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        why = str(error) or type(error).__name__
        raise Unreachable(f"cannot connect to serial-ws at {_shown(url)}: {why}. Is it running?") from error
    try:
        return socket, json.loads(await socket.recv())
    except ConnectionClosed as error:
        raise closed(error, url) from error


def closed(error: ConnectionClosed, url: str) -> Rejected | Unreachable:
    """Tells whether it helps to connect again after a connection has ended."""
    if error.rcvd is None:
        return Unreachable("the connection to serial-ws was lost")
    code, reason = error.rcvd.code, error.rcvd.reason
    is_device = "/devices/" in _shown(url)
    if code in FINAL_CODES or (code == NOT_FOUND and not is_device):
        return Rejected(code, reason)
    return Unreachable(f"serial-ws has closed the connection: {reason or code}")


def _shown(url: str) -> str:
    return url.partition("?")[0]

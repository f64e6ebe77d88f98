"""The address of a port, with what the client wants."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

DEFAULT = "ws://localhost:8080/"


def address(url: str, port: str | None, device: str | None, query: Mapping[str, object]) -> str:
    """Returns the address of a port or a device as one of the json view.

    `url` may lack the scheme, and may have a query of its own. What is None in `query` is left out.
    """
    if port is not None and device is not None:
        raise ValueError("port and device exclude each other")
    scheme, host, path, own, _ = urlsplit(url if "://" in url else f"ws://{url}")
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    if scheme not in ("ws", "wss") or not host:
        raise ValueError(f"{url!r} is no address of serial-ws; expected one such as {DEFAULT}")
    if port is not None:
        path = f"{path.rstrip('/')}/ports/{quote(port, safe='')}"
    elif device is not None:
        path = f"{path.rstrip('/')}/devices/{quote(device, safe=':')}"
    wanted = dict(parse_qsl(own, keep_blank_values=True))
    wanted.update((name, str(value)) for name, value in query.items() if value is not None)
    wanted["view"] = "json"
    return urlunsplit((scheme, host, path or "/", urlencode(wanted), ""))


def resumed(url: str, position: tuple[str, int] | None) -> str:
    """Returns the address with which reading goes on after a line: its run and its number."""
    if position is None:
        return url
    run, seq = position
    return f"{url}&since={run}:{seq}"

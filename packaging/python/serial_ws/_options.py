"""What callers can choose, as types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

Parity = Literal["none", "odd", "even", "mark", "space"]
FlowControl = Literal["none", "software", "hardware"]

Until = Literal["line"] | Mapping[str, Any]
"""Where a reply ends: `"line"`, `{"bytes": 2}`, `{"text": ["OK", "ERROR"]}` or `{"gap": 50}`, in milliseconds."""


class Options(TypedDict, total=False):
    """The arguments of `connect` and `connect_async`. Other queries of PROTOCOL.md can stand in the address."""

    port: str
    """The name of the port, instead of the first one."""
    device: str
    """The ID of a device instead of a port. It is opened if it is not open yet."""
    baud: int
    """The rate that the device needs."""
    history: int
    """The number of earlier lines to begin with."""
    latest: float
    """Only the newest line, at most so many times a second."""
    append: Literal["none", "lf", "crlf", "cr"]
    """The line ending to add to each text that lacks one."""
    values: bool
    """Find the numbers of each line, for `line.values`."""
    partial: bool
    """Also return parts of lines, such as pieces of overlong ones."""
    token: str
    """The token, where serial-ws asks for one."""
    fingerprint: str
    """The SHA-256 of the certificate to trust, which `serial-ws tls` shows."""


class Settings(TypedDict, total=False):
    """Settings of a port that clients can change. What is left out stays as it is."""

    baud: int | Literal["auto"]
    data_bits: Literal[5, 6, 7, 8]
    parity: Parity
    stop_bits: Literal[1, 2]
    flow_control: FlowControl
    dtr: bool
    rts: bool


NAMES = {"data_bits": "dataBits", "stop_bits": "stopBits", "flow_control": "flowControl"}
"""Names that the protocol writes otherwise."""


def settings_message(changes: Settings) -> dict[str, Any]:
    """Returns the request that changes settings."""
    return {"type": "settings", **{NAMES.get(name, name): value for name, value in changes.items()}}

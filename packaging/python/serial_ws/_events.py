"""What comes from a port, as types."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Line(str):
    """A line without its line ending: text, with what is known of it.

    Bytes that are not UTF-8 are U+FFFD in the text; `data` has them as they came.
    """

    seq: int
    """The number of the line, which counts from 1 in each run of serial-ws."""
    time: float
    """The time at which its last byte was read, in seconds since 1970."""
    data: bytes
    """The bytes of the line."""
    partial: bool
    """True for a part of a line, such as the fragment with which reading began."""
    values: dict[str, float | None] | list[float | None] | None
    """The numbers of the line, if it has any and they were asked for. One that is missing is None."""


@dataclass(frozen=True)
class Missed:
    """Lines are missing at exactly this place."""

    lines: int | None
    """How many, or None if that is not known, as after serial-ws has restarted."""


@dataclass(frozen=True)
class Status:
    """The state of the port has changed."""

    state: str
    """`open`, `waiting`, `lost`, `denied`, `busy` or `released`. Later versions may have more."""
    detail: str
    """What happened, for people."""
    hint: str | None = None
    """What to do, for people."""
    message: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The whole message of serial-ws: its settings, inputs, errors and so on, see PROTOCOL.md."""


Event = Line | Missed | Status


def line(message: Mapping[str, Any]) -> Line:
    """Returns the line of a message of the type `line`."""
    encoded = message.get("bytes")
    data = message["text"].encode() if encoded is None else base64.b64decode(encoded)
    made = Line(data.decode(errors="replace"))
    made.seq = message["seq"]
    made.time = message["t"]
    made.data = data
    made.partial = message.get("partial", False)
    made.values = message.get("values")
    return made


def status(message: Mapping[str, Any]) -> Status:
    """Returns the status of a message of the type `status`, or of that in a `hello`."""
    return Status(message["state"], message["detail"], message.get("hint"), message)

"""What can go wrong."""

from __future__ import annotations


class SerialWsError(Exception):
    """The base of all errors of this module."""


class Unreachable(SerialWsError, ConnectionError):
    """serial-ws did not answer the first attempt to connect."""


class Untrusted(SerialWsError):
    """The certificate is not the one that is trusted. It is no other one at the next attempt."""


class Rejected(SerialWsError):
    """serial-ws does not want this client, and would not the next time: retrying does not help."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})" if reason else f"rejected by serial-ws ({code})")
        self.code = code
        """The close code of the WebSocket, such as 4404, or the status code of HTTP, such as 401."""
        self.reason = reason


class RequestError(SerialWsError):
    """A write, a question or another request was not carried out."""

    def __init__(self, reason: str, code: str | None = None, written: int = 0) -> None:
        super().__init__(reason)
        self.code = code
        """`timeout` for a question without a reply in time, `gone` if the device was lost or the port released,
        `disconnected` if the connection was lost: then the request may have been carried out."""
        self.written = written
        """The bytes that were written before it failed."""

"""A port of serial-ws in asyncio."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import logging
import random
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, AnyStr, Unpack

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from . import _events
from ._address import DEFAULT, address, resumed
from ._connection import Target, closed, open_connection
from ._errors import Rejected, RequestError, Unreachable, Untrusted
from ._events import Event, Line, Missed, Status
from ._inbox import Inbox
from ._options import Options, Settings, Until, settings_message
from ._tls import trust

MIN_DELAY = 0.5
"""Seconds before the first attempt to connect again; it doubles with each further one."""

MAX_DELAY = 10.0
"""Seconds between two attempts at most."""

logger = logging.getLogger("serial_ws")


def connect_async(url: str = DEFAULT, **options: Unpack[Options]) -> AsyncPort:
    """Returns a port for `async with`, which connects to it. `Options` describes the arguments."""
    query = {name: options.get(name) for name in ("baud", "history", "latest", "append")}
    query["values"] = "" if options.get("values") else None
    whole = address(url, options.get("port"), options.get("device"), query)
    token = options.get("token")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    target = Target(headers, trust(whole, options.get("fingerprint")))
    return AsyncPort(whole, target, options.get("partial", False))


class AsyncPort:
    """A serial port that serial-ws shares. Made by `connect_async`."""

    def __init__(self, url: str, target: Target, partial: bool) -> None:
        self._url = url
        self._target = target
        self._wants_partial = partial
        self._inbox = Inbox()
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._position: tuple[str, int] | None = None
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ids = itertools.count(1)
        self.hello: dict[str, Any] = {}
        """The latest greeting of serial-ws: the port, its settings, the limits. See PROTOCOL.md."""
        self.status = Status("disconnected", "not connected to serial-ws")
        """The state of the port, or `disconnected` while there is no connection to serial-ws."""

    async def __aenter__(self) -> AsyncPort:
        """Connects, or raises Unreachable, Rejected or Untrusted. Later the connection is restored by itself."""
        socket = await self._connect()
        self._task = asyncio.create_task(self._run(socket), name="serial_ws")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._inbox.end(None)

    # Reading.

    def __aiter__(self) -> AsyncPort:
        return self

    async def __anext__(self) -> Line:
        while events := await self._inbox.take(1):
            if (line := wanted_line(events[0], self._wants_partial)) is not None:
                return line
        raise StopAsyncIteration

    async def events(self) -> AsyncIterator[Event]:
        """Returns all that happens, in order: each line, each change of the status, and where lines are missing."""
        while events := await self._inbox.take(1):
            if is_wanted(events[0], self._wants_partial):
                yield events[0]

    async def take(self) -> list[Event]:
        """Waits for events, and returns all that are here; none once the port is closed."""
        return await self._inbox.take()

    # Requests.

    async def write(self, data: str | bytes, *, urgent: bool = False) -> int:
        """Writes text, with the ending of `append`, or bytes exactly. Returns how many bytes the system has taken."""
        urgency = {"urgent": True} if urgent else {}
        ack = await self.request({"type": "write", **_content(data), **urgency})
        return int(ack["bytes"])

    async def ask(self, question: AnyStr, *, until: Until = "line", lines: int = 1, timeout: float = 2) -> AnyStr:
        """Writes a question and returns the reply of the device: the next line, or what `until` says.

        Waits `timeout` seconds for it, at most 30, and raises RequestError with the code `timeout` then.
        """
        message = {"type": "ask", **_content(question), "until": until, "timeout": timeout * 1000}
        reply = await self.request(message if lines == 1 else {**message, "lines": lines})
        data: bytes = reply["text"].encode() if "text" in reply else base64.b64decode(reply["bytes"])
        return data if isinstance(question, bytes) else data.decode(errors="replace")

    async def settings(self, **changes: Unpack[Settings]) -> None:
        """Changes settings of the port for everybody, such as `baud=115200`, while the device stays open."""
        await self.request(settings_message(changes))

    async def request(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Sends any object of the json protocol, such as `{"type": "reset"}`, and returns its reply.

        Raises RequestError if it was not carried out.
        """
        socket = self._socket
        if socket is None:
            raise RequestError(f"not sent: {self.status.detail}", "disconnected")
        number = next(self._ids)
        future = self._pending[number] = asyncio.get_running_loop().create_future()
        # Its reply comes behind what waits to be read.
        self._inbox.stir()
        try:
            await socket.send(json.dumps({**message, "id": number}))
            reply: dict[str, Any] = await future
        except ConnectionClosed as error:
            raise _lost() from error
        finally:
            del self._pending[number]
        if reply["type"] == "error":
            raise RequestError(reply["error"], reply.get("code"), reply.get("bytes", 0))
        return reply

    # The task that keeps the connection.

    async def _run(self, socket: ClientConnection) -> None:
        try:
            while True:
                try:
                    await self._receive(socket)
                finally:
                    self._disconnected()
                    await socket.close()
                socket = await self._reconnect()
        except (Rejected, Untrusted) as error:
            self._inbox.end(error)
        except Exception as error:
            logger.exception("a message of serial-ws cannot be understood")
            self._inbox.end(error)

    async def _connect(self) -> ClientConnection:
        socket, self.hello = await open_connection(resumed(self._url, self._position), self._target)
        self._position = self.hello["run"], self.hello["seq"]
        self._socket = socket
        self.status = _events.status(self.hello["status"])
        return socket

    async def _reconnect(self) -> ClientConnection:
        delay = MIN_DELAY
        while True:
            # A random time, so that thirty programs do not come at the same moment.
            await asyncio.sleep(delay * random.uniform(0.75, 1.25))
            delay = min(delay * 2, MAX_DELAY)
            try:
                socket = await self._connect()
            except Unreachable as error:
                logger.debug("%s", error)
                continue
            logger.info("connected to serial-ws again")
            self._inbox.put(self.status)
            return socket

    async def _receive(self, socket: ClientConnection) -> None:
        try:
            while True:
                self._on_message(json.loads(await socket.recv()))
                while self._inbox.is_full and not self._pending:
                    await self._inbox.room()
        except ConnectionClosed as error:
            reason = closed(error, self._url)
            if isinstance(reason, Rejected):
                raise reason from error
            logger.info("%s", reason)

    def _on_message(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "line":
            self._advance_to(message["seq"])
            self._inbox.put(_events.line(message))
        elif kind == "missed":
            lines = message.get("lines")
            if self._position is not None:
                self._advance_to(self._position[1] + (lines or 0))
            self._inbox.put(Missed(lines))
        elif kind == "status":
            self.status = _events.status(message)
            self._inbox.put(self.status)
        elif kind in ("ack", "reply", "error"):
            future = self._pending.get(message.get("id", 0))
            if future is not None and not future.done():
                future.set_result(message)

    def _advance_to(self, seq: int) -> None:
        if self._position is not None:
            self._position = self._position[0], seq

    def _disconnected(self) -> None:
        self._socket = None
        self.status = Status("disconnected", "the connection to serial-ws was lost", "It is tried again")
        self._inbox.put(self.status)
        for future in self._pending.values():
            if not future.done():
                future.set_exception(_lost())


def is_wanted(event: Event, partial: bool) -> bool:
    """Returns false for parts of lines, unless they are wanted."""
    return partial or not (isinstance(event, Line) and event.partial)


def wanted_line(event: Event, partial: bool) -> Line | None:
    """Returns the event if it is a line that is wanted. Lines that are missing are logged."""
    if isinstance(event, Missed):
        logger.warning("missed %s lines", "some" if event.lines is None else event.lines)
    return event if isinstance(event, Line) and is_wanted(event, partial) else None


def _content(data: str | bytes) -> dict[str, str]:
    if isinstance(data, str):
        return {"text": data}
    return {"bytes": base64.b64encode(data).decode()}


def _lost() -> RequestError:
    return RequestError("the connection was lost before the reply; the request may have taken effect", "disconnected")

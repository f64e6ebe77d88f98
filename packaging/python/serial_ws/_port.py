"""A port of serial-ws for programs without asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping
from types import TracebackType
from typing import Any, AnyStr, TypeVar, Unpack

from ._address import DEFAULT
from ._async_port import AsyncPort, connect_async, is_wanted, wanted_line
from ._events import Event, Line, Status
from ._options import Options, Settings, Until

T = TypeVar("T")

LOOK_INTERVAL = 0.5
"""Seconds after which a wait looks for Ctrl-C, which interrupts no wait on Windows."""


def connect(url: str = DEFAULT, **options: Unpack[Options]) -> Port:
    """Returns a port for `with`, which connects to it. `Options` describes the arguments."""
    return Port(connect_async(url, **options), options.get("partial", False))


class Port:
    """A serial port that serial-ws shares. Made by `connect`.

    A thread of its own keeps the connection. One thread may read while others write and ask.
    """

    def __init__(self, port: AsyncPort, partial: bool) -> None:
        self._port = port
        self._wants_partial = partial
        self._ready: deque[Event] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Port:
        """Connects, or raises Unreachable, Rejected or Untrusted. Later the connection is restored by itself."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="serial_ws", daemon=True)
        self._thread.start()
        try:
            self._run(self._port.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run(self._port.__aexit__(None, None, None))
        finally:
            self._stop()

    @property
    def hello(self) -> dict[str, Any]:
        """The latest greeting of serial-ws: the port, its settings, the limits. See PROTOCOL.md."""
        return self._port.hello

    @property
    def status(self) -> Status:
        """The state of the port, or `disconnected` while there is no connection to serial-ws."""
        return self._port.status

    def __iter__(self) -> Iterator[Line]:
        while (line := self._next_line(None)) is not None:
            yield line

    def read_line(self, timeout: float | None = None) -> Line:
        """Returns the next line. Raises TimeoutError if none comes within `timeout` seconds."""
        line = self._next_line(timeout)
        if line is None:
            raise EOFError("the port is closed")
        return line

    def events(self) -> Iterator[Event]:
        """Returns all that happens, in order: each line, each change of the status, and where lines are missing."""
        while (event := self._next_event(None)) is not None:
            if is_wanted(event, self._wants_partial):
                yield event

    def write(self, data: str | bytes, *, urgent: bool = False) -> int:
        """Writes text, with the ending of `append`, or bytes exactly. Returns how many bytes the system has taken."""
        return self._run(self._port.write(data, urgent=urgent))

    def ask(self, question: AnyStr, *, until: Until = "line", lines: int = 1, timeout: float = 2) -> AnyStr:
        """Writes a question and returns the reply of the device: the next line, or what `until` says.

        Waits `timeout` seconds for it, at most 30, and raises RequestError with the code `timeout` then.
        """
        return self._run(self._port.ask(question, until=until, lines=lines, timeout=timeout))

    def settings(self, **changes: Unpack[Settings]) -> None:
        """Changes settings of the port for everybody, such as `baud=115200`, while the device stays open."""
        self._run(self._port.settings(**changes))

    def request(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Sends any object of the json protocol, such as `{"type": "reset"}`, and returns its reply.

        Raises RequestError if it was not carried out.
        """
        return self._run(self._port.request(message))

    def _next_line(self, timeout: float | None) -> Line | None:
        end = None if timeout is None else time.monotonic() + timeout
        while (event := self._next_event(end)) is not None:
            if (line := wanted_line(event, self._wants_partial)) is not None:
                return line
        return None

    def _next_event(self, end: float | None) -> Event | None:
        if not self._ready:
            take = self._port.take()
            left = None if end is None else max(end - time.monotonic(), 0)
            self._ready.extend(self._run(take if left is None else asyncio.wait_for(take, left)))
        return self._ready.popleft() if self._ready else None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the port is not connected: use it within `with serial_ws.connect() as port:`")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while True:
                try:
                    return future.result(LOOK_INTERVAL)
                except TimeoutError:
                    if future.done():
                        return future.result()
        except BaseException:
            future.cancel()
            raise

    def _stop(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

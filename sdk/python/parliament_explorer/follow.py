"""Event streams that go on where they were when the connection breaks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, Self, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from .client import AuthenticatedClient, Client
from .models.event import Event
from .models.system_status import SystemStatus
from .problem import ProblemError, problem_of

FIRST_WAIT = 0.25
LONGEST_WAIT = 10.0
# The server says something every 15 seconds at least, so a longer silence is a connection that died.
_TIMEOUT = httpx.Timeout(10.0, read=45.0)


@dataclass(frozen=True)
class StreamedEvent:
    """An event of the stream of all runs, with the id from which that stream goes on."""

    stream_id: str
    event: Event


def follow_run(client: Client | AuthenticatedClient, run_id: object, *, after: int | None = None) -> Iterator[Event]:
    """Give a run's events as they happen, first those after ``after`` that are there already, until the run has ended.

    A broken connection is made again, without loss or repetition. Raises ProblemError if the run does not exist.
    """
    for message in _follow(client, f"/runs/{run_id}/events", after, ends=True):
        if event := _read(Event, message):
            yield event


def follow_events(
    client: Client | AuthenticatedClient, *, after: str | None = None, types: Sequence[str] = ()
) -> Iterator[StreamedEvent]:
    """Give the events of all runs from now on, or after ``after`` (a ``stream_id``); it does not end by itself."""
    for message in _follow(client, "/events", after, params=[("type", t) for t in types]):
        if event := _read(Event, message):
            yield StreamedEvent(message.id, event)


def follow_status(client: Client | AuthenticatedClient) -> Iterator[SystemStatus]:
    """Give the state of queues, workers, sources and schedules, and again whenever it changes."""
    for message in _follow(client, "/status", None):
        if status := _read(SystemStatus, message):
            yield status


async def afollow_run(
    client: Client | AuthenticatedClient, run_id: object, *, after: int | None = None
) -> AsyncIterator[Event]:
    """``follow_run`` for asyncio."""
    async for message in _afollow(client, f"/runs/{run_id}/events", after, ends=True):
        if event := _read(Event, message):
            yield event


async def afollow_events(
    client: Client | AuthenticatedClient, *, after: str | None = None, types: Sequence[str] = ()
) -> AsyncIterator[StreamedEvent]:
    """``follow_events`` for asyncio."""
    async for message in _afollow(client, "/events", after, params=[("type", t) for t in types]):
        if event := _read(Event, message):
            yield StreamedEvent(message.id, event)


async def afollow_status(client: Client | AuthenticatedClient) -> AsyncIterator[SystemStatus]:
    """``follow_status`` for asyncio."""
    async for message in _afollow(client, "/status", None):
        if status := _read(SystemStatus, message):
            yield status


class _Model(Protocol):
    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self: ...


M = TypeVar("M", bound=_Model)


def _read(model: type[M], message: ServerSentEvent) -> M | None:
    """Read a message; None for one of another kind, which a newer server may send in between."""
    try:
        return model.from_dict(json.loads(message.data))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


class _Place:
    """Where a stream is, and how long to wait before the next try."""

    def __init__(self, after: object, ends: bool) -> None:
        self.last = "" if after is None else str(after)
        self.ends = ends
        self.got = 0
        self.wait = FIRST_WAIT

    def request(self, params: Iterable[tuple[str, str]]) -> dict[str, Any]:
        self.got = 0
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self.last:
            headers["Last-Event-ID"] = self.last
        return {"method": "GET", "headers": headers, "params": list(params), "timeout": _TIMEOUT}

    def saw(self, message: ServerSentEvent) -> None:
        self.last = message.id or self.last
        self.got += 1
        self.wait = FIRST_WAIT

    def pause(self) -> float:
        """How long to wait; nothing after a run's stream that told something, which a 204 will confirm at once."""
        if self.ends and self.got > 0:
            return 0.0
        wait, self.wait = self.wait, min(self.wait * 2, LONGEST_WAIT)
        return wait


def _refused(response: httpx.Response) -> None:
    """Raise for an answer, which has been read, that will not get better by asking again."""
    status = response.status_code
    if status == HTTPStatus.OK or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return
    raise ProblemError(problem_of(response))


def _follow(
    client: Client | AuthenticatedClient,
    path: str,
    after: object,
    *,
    ends: bool = False,
    params: Iterable[tuple[str, str]] = (),
) -> Iterator[ServerSentEvent]:
    place, http, params = _Place(after, ends), client.get_httpx_client(), list(params)
    while True:
        try:
            with http.stream(url=path, **place.request(params)) as response:
                if response.status_code == HTTPStatus.NO_CONTENT:
                    return
                if response.status_code != HTTPStatus.OK:
                    response.read()
                    _refused(response)
                else:
                    for message in EventSource(response).iter_sse():
                        place.saw(message)
                        yield message
        except (httpx.TransportError, SSEError):
            pass
        time.sleep(place.pause())


async def _afollow(
    client: Client | AuthenticatedClient,
    path: str,
    after: object,
    *,
    ends: bool = False,
    params: Iterable[tuple[str, str]] = (),
) -> AsyncIterator[ServerSentEvent]:
    place, http, params = _Place(after, ends), client.get_async_httpx_client(), list(params)
    while True:
        try:
            async with http.stream(url=path, **place.request(params)) as response:
                if response.status_code == HTTPStatus.NO_CONTENT:
                    return
                if response.status_code != HTTPStatus.OK:
                    await response.aread()
                    _refused(response)
                else:
                    async for message in EventSource(response).aiter_sse():
                        place.saw(message)
                        yield message
        except (httpx.TransportError, SSEError):
            pass
        await asyncio.sleep(place.pause())

"""Event streams that go on where they were when the connection breaks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from .client import AuthenticatedClient, Client
from .models.event import Event
from .models.problem import Problem
from .models.system_status import SystemStatus
from .problem import ProblemError

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
        yield Event.from_dict(json.loads(message.data))


def follow_events(
    client: Client | AuthenticatedClient, *, after: str | None = None, types: Sequence[str] = ()
) -> Iterator[StreamedEvent]:
    """Give the events of all runs from now on, or after ``after`` (a ``stream_id``); it does not end by itself."""
    for message in _follow(client, "/events", after, params=[("type", t) for t in types]):
        yield StreamedEvent(message.id, Event.from_dict(json.loads(message.data)))


def follow_status(client: Client | AuthenticatedClient) -> Iterator[SystemStatus]:
    """Give the state of queues, workers, sources and schedules, and again whenever it changes."""
    for message in _follow(client, "/status", None):
        yield SystemStatus.from_dict(json.loads(message.data))


async def afollow_run(
    client: Client | AuthenticatedClient, run_id: object, *, after: int | None = None
) -> AsyncIterator[Event]:
    """``follow_run`` for asyncio."""
    async for message in _afollow(client, f"/runs/{run_id}/events", after, ends=True):
        yield Event.from_dict(json.loads(message.data))


async def afollow_events(
    client: Client | AuthenticatedClient, *, after: str | None = None, types: Sequence[str] = ()
) -> AsyncIterator[StreamedEvent]:
    """``follow_events`` for asyncio."""
    async for message in _afollow(client, "/events", after, params=[("type", t) for t in types]):
        yield StreamedEvent(message.id, Event.from_dict(json.loads(message.data)))


async def afollow_status(client: Client | AuthenticatedClient) -> AsyncIterator[SystemStatus]:
    """``follow_status`` for asyncio."""
    async for message in _afollow(client, "/status", None):
        yield SystemStatus.from_dict(json.loads(message.data))


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


def _refused(status: int, body: bytes) -> None:
    """Raise for an answer that will not get better by asking again."""
    if status == HTTPStatus.OK or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return
    try:
        problem = Problem.from_dict(json.loads(body))
    except (ValueError, KeyError, TypeError):
        problem = Problem("about:blank", HTTPStatus(status).phrase, status, f"the server answered {status}", [])
    raise ProblemError(problem)


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
                    _refused(response.status_code, response.read())
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
                    _refused(response.status_code, await response.aread())
                else:
                    async for message in EventSource(response).aiter_sse():
                        place.saw(message)
                        yield message
        except (httpx.TransportError, SSEError):
            pass
        await asyncio.sleep(place.pause())

"""Client of the Parliament Explorer API.

``connect`` makes a client; each operation of the contract is a module below ``parliament_explorer.api`` with the functions
``sync`` and ``asyncio``; ``unwrap`` gives its answer or raises what the server said went wrong; ``follow_run`` and its
like give events as they happen.
"""

import httpx

from .client import AuthenticatedClient, Client
from .follow import (
    StreamedEvent,
    afollow_events,
    afollow_run,
    afollow_status,
    follow_events,
    follow_run,
    follow_status,
)
from .problem import ProblemError, unwrap

__all__ = [
    "AuthenticatedClient",
    "Client",
    "ProblemError",
    "StreamedEvent",
    "afollow_events",
    "afollow_run",
    "afollow_status",
    "connect",
    "follow_events",
    "follow_run",
    "follow_status",
    "unwrap",
]


def connect(
    base_url: str, *, key: str | None = None, timeout: float = 30.0, headers: dict[str, str] | None = None
) -> Client:
    """Make a client of the server at ``base_url``, which may have a path behind a proxy; ``key`` is an API key.

    A request that is not answered within ``timeout`` seconds raises ``httpx.TimeoutException``; event streams are not
    ended by it. Use it as a context manager to keep connections open between requests.
    """
    headers = dict(headers or {})
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return Client(base_url=base_url.rstrip("/"), timeout=httpx.Timeout(timeout), headers=headers)

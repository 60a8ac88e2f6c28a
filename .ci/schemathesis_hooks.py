"""What schemathesis must know of the server: streams do not end, and the key that it uses must stay."""

import itertools
import os
import time

import requests
import schemathesis

OWN_KEY = os.environ.get("CONTRACT_KEY_ID", "")
AUTHORIZATION = "Bearer " + os.environ.get("CONTRACT_KEY", "")
STREAM_SECONDS = 0.5

addresses = itertools.cycle([f"198.51.100.{n}" for n in range(1, 255)])  # a list: threads share it
send = requests.Session.send


def bounded(self, request, **kwargs):
    """Send a request, and read a stream of events for a moment only: its end is ours, as a client's is."""
    if request.headers.get("Authorization") != AUTHORIZATION:
        # The server refuses an address that sends wrong keys. The checks send many, as if from many addresses.
        request.headers["X-Forwarded-For"] = next(addresses)
    stream = kwargs.pop("stream", False)
    response = send(self, request, stream=True, **kwargs)
    if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
        if not stream:
            response.content  # noqa: B018  # reads it
        return response
    body, until = b"", time.monotonic() + STREAM_SECONDS
    connection = getattr(response.raw, "connection", None) or getattr(response.raw, "_connection", None)
    try:
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(STREAM_SECONDS)
        while time.monotonic() < until and len(body) < 1 << 20:
            chunk = response.raw.read1(1 << 16)
            if not chunk:
                break
            body += chunk
    except Exception:  # noqa: BLE001  # nothing came in time
        pass
    response._content, response._content_consumed = body, True
    response.close()
    return response


requests.Session.send = bounded


@schemathesis.hook
def before_call(context, case, kwargs):
    """Let no case revoke the key that the others are sent with."""
    parameters = case.path_parameters or {}
    if OWN_KEY and OWN_KEY in (str(v) for v in parameters.values()):
        case.path_parameters = {name: "00000000-0000-7000-8000-000000000000" for name in parameters}

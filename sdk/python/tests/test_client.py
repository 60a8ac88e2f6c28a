"""The main job through the client, synchronous and asynchronous."""

from __future__ import annotations

import socket
import threading

import pytest

from parliament_explorer import ProblemError, afollow_run, connect, follow_events, follow_run, follow_status, unwrap
from parliament_explorer.api.assets import list_assets, materialize_asset
from parliament_explorer.api.bills import get_bill, list_bills
from parliament_explorer.api.runs import get_run
from parliament_explorer.models import Config, RunStatus, StartRunRequest


def request(limit: int) -> StartRunRequest:
    return StartRunRequest(config=Config.from_dict({"limit": limit}))


def test_materialize_follow_and_read(url: str) -> None:
    with connect(url) as client:
        assert "fetch_latest_bills" in [a.name for a in unwrap(list_assets.sync(client=client)).items]
        run = unwrap(materialize_asset.sync("fetch_latest_bills", client=client, body=request(7)))
        events = list(follow_run(client, run.id))
        assert events[0].type_ == "run_enqueued"
        assert events[-1].type_ == "run_success"
        assert [e.id for e in events] == sorted({e.id for e in events})
        assert [e.id for e in follow_run(client, run.id, after=events[2].id)] == [e.id for e in events[3:]]

        ended = unwrap(get_run.sync(str(run.id), client=client))
        assert ended.status == RunStatus.SUCCESS
        assert ended.materializations[0].metadata["bills_fetched"] == 7

        bills = unwrap(list_bills.sync(client=client, limit=3)).items
        assert len(bills) == 3
        bill = unwrap(get_bill.sync(f"{bills[0].parliament}-{bills[0].session}", bills[0].number, client=client))
        assert bill.title.en == bills[0].title.en


async def test_asyncio(url: str) -> None:
    async with connect(url) as client:
        run = unwrap(await materialize_asset.asyncio("fetch_latest_bills", client=client, body=request(5)))
        types = [e.type_ async for e in afollow_run(client, run.id)]
        assert types[-1] == "run_success"


def test_errors_are_typed(url: str) -> None:
    with connect(url) as client:
        with pytest.raises(ProblemError) as wrong:
            unwrap(materialize_asset.sync("fetch_latest_bills", client=client, body=request(501)))
        assert wrong.value.status == 422
        assert [e.pointer for e in wrong.value.errors] == ["/config/limit"]
        with pytest.raises(ProblemError) as unknown:
            list(follow_run(client, "0197841c-2a00-7aaa-8000-000000000001"))
        assert unknown.value.status == 404


def test_events_of_all_runs(url: str) -> None:
    with connect(url) as client, connect(url) as other:
        seen = threading.Event()

        def run_until_seen() -> None:  # a stream gives what happens after it was asked for, whenever that is
            while not seen.is_set():
                run = unwrap(materialize_asset.sync("fetch_latest_bills", client=other, body=request(5)))
                list(follow_run(other, run.id))

        thread = threading.Thread(target=run_until_seen)
        thread.start()
        assert next(follow_events(client, types=["run_success"])).event.type_ == "run_success"
        seen.set()
        thread.join()
        assert [w.alive for w in next(follow_status(client)).workers] == [True]


def test_a_broken_stream_goes_on(url: str) -> None:
    """Through a proxy that cuts the first connection in the middle of the events."""
    with connect(url) as direct:
        run = unwrap(materialize_asset.sync("fetch_latest_bills", client=direct, body=request(5)))
        whole = [e.id for e in follow_run(direct, run.id)]
    host, port = url.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for cut in (700, 900, None):
            client, _ = listener.accept()
            with client, socket.create_connection((host, int(port))) as upstream:
                upstream.sendall(client.recv(65536).replace(b"Connection: keep-alive", b"Connection: close"))
                sent = 0
                while data := upstream.recv(100 if cut else 65536):
                    client.sendall(data)
                    sent += len(data)
                    if cut and sent >= cut:
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with connect(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
        got = []
        for event in follow_run(client, run.id):
            got.append(event.id)
            if len(got) == len(whole):
                break
    assert got == whole
    listener.close()


def test_a_key_goes_with_every_request() -> None:
    client = connect("http://127.0.0.1:9", key="pex_1", headers={"X-Other": "1"})
    headers = client.get_httpx_client().headers
    assert headers["Authorization"] == "Bearer pex_1"
    assert headers["X-Other"] == "1"

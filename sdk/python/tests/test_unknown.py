"""What a newer server says that this package does not know is kept, whatever the operation."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import attrs
import httpx
import pytest
from contract import NEW_CONTENT, NEW_FIELD, NEW_VALUE, TEXTS, Contract, count

from parliament_explorer import (
    Client,
    ProblemError,
    afollow_events,
    afollow_run,
    afollow_status,
    connect,
    follow_events,
    follow_run,
    follow_status,
    models,
    unwrap,
)
from parliament_explorer.api.bills import list_bills
from parliament_explorer.api.feeds import get_feed
from parliament_explorer.api.runs import list_runs
from parliament_explorer.models import RunStatus, StageState
from parliament_explorer.open_enum import OpenIntEnum, OpenStrEnum

RUN = TEXTS["uuid"]


@pytest.fixture(scope="session")
def contract(url: str) -> Contract:
    return Contract(httpx.get(url + "/openapi.json").json())


def client_of(handler: Callable[[httpx.Request], httpx.Response]) -> Client:
    """Make a client whose server is a function."""
    client, transport = connect("http://test"), httpx.MockTransport(handler)
    client.set_httpx_client(httpx.Client(transport=transport, base_url="http://test"))
    return client.set_async_httpx_client(httpx.AsyncClient(transport=transport, base_url="http://test"))


def answering(status: int, body: object, media: str = "application/json") -> Client:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client_of(lambda _: httpx.Response(status, content=content, headers={"Content-Type": media}))


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def types_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from types_in(part)


def is_enum(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, (OpenStrEnum, OpenIntEnum))


def arguments(contract: Contract, module: Any, operation: dict[str, Any]) -> dict[str, Any]:
    """Give an operation what it wants, and a value that is not listed for each parameter that is an enum."""
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(module._get_kwargs).parameters.items():
        kinds = list(types_in(parameter.annotation))
        if name == "body":
            media = contract.resolve(operation["requestBody"])["content"]["application/json"]
            model = next(kind for kind in kinds if hasattr(kind, "from_dict"))
            given[name] = model.from_dict(contract.sample(media["schema"], mutate=True))
        elif any(is_enum(kind) for kind in kinds):
            given[name] = [NEW_VALUE] if list in [getattr(kind, "__origin__", None) for kind in kinds] else NEW_VALUE
        elif parameter.default is inspect.Parameter.empty:
            given[name] = "x"
    return given


def unlisted(value: Any) -> int:
    """Count members that are not listed, and see that every object below was read as its model."""
    if is_enum(type(value)):
        return int(not value.known)
    if isinstance(value, list):
        return sum(unlisted(v) for v in value)
    if attrs.has(type(value)):
        below = {f.name: getattr(value, f.name) for f in attrs.fields(type(value))}
        below.pop("additional_properties", None)
        return sum(unlisted(v) for v in below.values())
    assert not isinstance(value, dict), f"{value} was not read"
    return 0


async def test_every_operation_keeps_what_it_does_not_know(contract: Contract) -> None:
    tested, enums = 0, 0
    for path, method, operation in contract.operations():
        module: Any = importlib.import_module(
            f"parliament_explorer.api.{snake(operation['tags'][0])}.{snake(operation['operationId'])}"
        )
        given = arguments(contract, module, operation)
        for status, media, schema in contract.answers(operation):
            body = contract.sample(schema, mutate=True)
            asked: list[httpx.Request] = []

            def handler(request: httpx.Request, status: int = status, media: str = media, body: Any = body) -> Any:
                asked.append(request)  # noqa: B023
                return httpx.Response(status, json=body, headers={"Content-Type": media})

            client = client_of(handler)
            for answer in (
                module.sync_detailed(client=client, **given),
                await module.asyncio_detailed(client=client, **given),
            ):
                where = f"{method} {path}, {status}"
                assert answer.parsed.to_dict() == body, where
                assert unlisted(answer.parsed) == count(body, NEW_VALUE), where
                assert count(body, NEW_FIELD) > 0, where
            filters = [name.strip("_") for name, value in given.items() if value in (NEW_VALUE, [NEW_VALUE])]
            for request in asked:
                assert sorted(k for k, v in request.url.params.multi_items() if v == NEW_VALUE) == sorted(filters)
            tested, enums = tested + 1, enums + count(body, NEW_VALUE)
    assert tested > 100
    assert enums > 100


def test_every_schema_keeps_what_it_does_not_know(contract: Contract) -> None:
    """Those that are in requests alone too, and each enum by itself."""
    read = 0
    for name, schema in contract.document["components"]["schemas"].items():
        model: Any = getattr(models, name, None)
        if hasattr(model, "from_dict"):
            body = contract.sample(schema, mutate=True)
            assert model.from_dict(body).to_dict() == body, name
            read += 1
    assert read > 80
    for name in models.__all__:
        if is_enum(kind := getattr(models, name)):
            assert [kind(member.value) for member in kind] == list(kind)
            assert all(member.known for member in kind)
            assert kind(NEW_VALUE) == NEW_VALUE


def test_a_value_that_is_not_listed() -> None:
    paused = RunStatus("paused")
    assert isinstance(paused, RunStatus)
    assert not paused.known
    assert RunStatus.SUCCESS.known
    assert paused == "paused"
    assert paused == RunStatus("paused")
    assert paused not in (RunStatus.SUCCESS, StageState.UNKNOWN)
    assert {paused: 1}["paused"] == 1  # type: ignore[index]
    assert f"{paused} {paused!s} {paused.value}" == "paused paused paused"
    assert json.dumps([paused]) == '["paused"]'
    assert copy.deepcopy(paused) == paused
    assert pickle.loads(pickle.dumps(paused)) == paused
    assert repr(paused) == "<RunStatus.paused: 'paused'>"
    assert "paused" not in [str(status) for status in RunStatus]
    wrong: Any
    for wrong in (None, 7, ["paused"]):
        with pytest.raises(ValueError, match="not a valid RunStatus"):
            RunStatus(wrong)


def test_numbers_that_are_not_listed() -> None:
    class Level(OpenIntEnum):
        LOW = 1

    assert Level(1) is Level.LOW
    assert Level(9) == 9
    assert not Level(9).known
    assert f"{Level(9)} {Level(9).value}" == "9 9"
    with pytest.raises(ValueError, match="not a valid"):
        Level("9")  # type: ignore[arg-type]


def test_a_filter_takes_a_value_that_is_not_listed() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"items": [], "next_cursor": None})

    client, text = client_of(handler), "paused"
    for status in (RunStatus(text), text, RunStatus.QUEUED):
        unwrap(list_runs.sync(client=client, status=status))
    assert [url.split("status=")[1] for url in asked] == ["paused", "paused", "queued"]


def test_a_feed_is_text_in_each_format() -> None:
    for media, text in {
        "application/rss+xml": "<rss/>",
        "application/atom+xml": "<feed/>",
        "application/feed+json": '{"items": []}',
    }.items():
        assert unwrap(get_feed.sync("bills.x", client=answering(200, text, media))) == text


@pytest.mark.parametrize(
    ("status", "media", "body", "type_", "detail"),
    [
        (422, "application/problem+json", {"type": "urn:new", "title": "New", "status": 422, "detail": "no", "errors": [{"pointer": "/a", "detail": "b", NEW_FIELD: 1}], NEW_FIELD: 1}, "urn:new", "no"),
        (409, "application/problem+json", {"title": "Only this", "errors": None}, "about:blank", "http://test/bills?limit=50 answered 409"),
        (502, "text/html", "<h1>Bad Gateway</h1>", "about:blank", "http://test/bills?limit=50 answered 502"),
        (404, "application/json", ["not", "a", "problem"], "about:blank", "http://test/bills?limit=50 answered 404"),
        (404, "application/json", {"error": "of something else"}, "about:blank", "http://test/bills?limit=50 answered 404"),
        (422, "application/problem+json", {"title": "Odd", "errors": "many"}, "about:blank", "http://test/bills?limit=50 answered 422"),
        (520, "text/html", "", "about:blank", "http://test/bills?limit=50 answered 520"),
        (499, "application/json", {"title": "Client Closed Request", "status": 499}, "about:blank", "http://test/bills?limit=50 answered 499"),
    ],
)  # fmt: skip
def test_problems(status: int, media: str, body: object, type_: str, detail: str) -> None:
    answer = list_bills.sync_detailed(client=answering(status, body, media))
    assert answer.status_code == status
    with pytest.raises(ProblemError) as problem:
        unwrap(answer.parsed)
    assert (problem.value.status, problem.value.type, str(problem.value)) == (status, type_, detail)
    if type_ == "urn:new":
        assert problem.value.errors[0].additional_properties == {NEW_FIELD: 1}
        assert problem.value.problem.to_dict() == body
    if status < 500:
        with pytest.raises(ProblemError) as refused:
            next(follow_run(answering(status, body, media), RUN))
        assert (refused.value.status, refused.value.type) == (status, type_)


def stream(*messages: str) -> Client:
    """Serve a stream once; after that a run's is over."""
    left = ["".join(messages)]

    def handler(_: httpx.Request) -> httpx.Response:
        if not left:
            return httpx.Response(204)
        return httpx.Response(200, text=left.pop(), headers={"Content-Type": "text/event-stream"})

    return client_of(handler)


STRANGE = (
    ": comment\n\n",
    "retry: 1000\n\n",
    "event: of_a_newer_server\ndata: not JSON\n\n",
    "event: of_a_newer_server\ndata: 7\n\n",
    'event: of_a_newer_server\ndata: {"some": "thing"}\n\n',
)


async def test_streams(contract: Contract) -> None:
    event = contract.sample({"$ref": "#/components/schemas/Event"}, mutate=True)
    known = [f"id: {n}\nevent: {NEW_VALUE}\ndata: {json.dumps(event | {'id': n})}\n\n" for n in (1, 2)]
    messages = (*STRANGE, known[0], *STRANGE, known[1])
    got = list(follow_run(stream(*messages), RUN))
    got += [e async for e in afollow_run(stream(*messages), RUN)]
    got += [s.event for s in follow_events(stream(*messages))]
    got += [s.event async for s in afollow_events(stream(*messages))]
    assert [e.to_dict() for e in got] == [event | {"id": n} for n in (1, 2)] * 4
    assert all(e.level == NEW_VALUE and e[NEW_FIELD] == NEW_CONTENT for e in got)

    status = contract.sample({"$ref": "#/components/schemas/SystemStatus"}, mutate=True)
    changes = [*STRANGE, f"event: status\ndata: {json.dumps(status)}\n\n"]
    statuses = list(follow_status(stream(*changes)))
    statuses += [s async for s in afollow_status(stream(*changes))]
    assert [s.to_dict() for s in statuses] == [status] * 2

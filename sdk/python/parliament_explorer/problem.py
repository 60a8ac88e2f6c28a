"""Errors as the server tells them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeVar, cast

import httpx

from .models.field_error import FieldError
from .models.problem import Problem

T = TypeVar("T")


class ProblemError(Exception):
    """What the server refused or failed to do (RFC 9457).

    Attributes:
        type: Names the kind of problem, e.g. ``urn:parliament-explorer:invalid``.
        title: The HTTP status in words.
        status: The HTTP status.
        detail: What is wrong with this request; the text of the exception too.
        errors: Which fields are at fault, if any; ``pointer`` is a JSON pointer such as ``/config/limit``.
        problem: All that the server said, with members that this version of the package does not know.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem
        self.type = problem.type_
        self.title = problem.title
        self.status = problem.status
        self.detail = problem.detail
        self.errors: list[FieldError] = list(problem.errors)


def unwrap(answer: T | Problem | None) -> T:
    """Give an operation's answer, or raise it as a ProblemError if it is a problem.

    An answer without a body (304, 204) raises ValueError: ask with ``sync_detailed`` where those are expected.
    """
    if isinstance(answer, Problem):
        raise ProblemError(answer)
    if answer is None:
        raise ValueError("the answer has no body")
    return answer


def problem_of(response: httpx.Response) -> Problem:
    """Read a problem. What something in between answered, in words of its own, is one of type ``about:blank``."""
    status = status_of(response.status_code)
    blank: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase if isinstance(status, HTTPStatus) else "",
        "status": response.status_code,
        "detail": f"{response.url} answered {response.status_code}",
        "errors": [],
    }
    try:
        body = response.json()
        if isinstance(body, dict) and "title" in body:
            return Problem.from_dict(blank | {name: value for name, value in body.items() if value is not None})
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    return Problem.from_dict(blank)


def status_of(code: int) -> HTTPStatus:
    """Name a status; one that Python has no name for stays a number."""
    try:
        return HTTPStatus(code)
    except ValueError:
        return cast(HTTPStatus, code)

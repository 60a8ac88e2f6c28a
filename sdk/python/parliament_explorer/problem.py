"""Errors as the server tells them."""

from __future__ import annotations

from typing import TypeVar

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
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
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

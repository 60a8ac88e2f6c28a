"""Answers made from the contract, with what it does not know: values outside of enums, and fields that are not listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NEW_VALUE = "of_a_newer_server"
NEW_FIELD, NEW_CONTENT = "field_of_a_newer_server", {"deep": [1, None, {"more": True}]}
TEXTS = {
    "date-time": "2026-06-18T12:00:00+00:00",
    "date": "2026-06-18",
    "uuid": "0197841c-2a00-7aaa-8000-000000000001",
}


class Contract:
    """The contract as the server gives it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference."""
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Give each operation: path, method and itself."""
        for path, item in self.document["paths"].items():
            for method in ("get", "post", "put", "patch", "delete"):
                if operation := item.get(method):
                    yield path, method, operation

    def answers(self, operation: dict[str, Any]) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Give each answer of an operation that is JSON: status, media type and schema."""
        for status, answer in operation["responses"].items():
            for media, content in self.resolve(answer).get("content", {}).items():
                if media in ("application/json", "application/problem+json"):
                    yield 500 if status == "default" else int(status), media, content["schema"]

    def sample(self, node: dict[str, Any], *, mutate: bool) -> Any:
        """Make a value that has everything; mutated, it has what the contract does not know as well."""
        node = self.resolve(node)
        if "allOf" in node:
            whole: dict[str, Any] = {}
            for part in node["allOf"]:
                whole |= self.sample(part, mutate=mutate)
            return whole
        assert "oneOf" not in node and "anyOf" not in node, "this test does not know alternatives yet"
        if "enum" in node:
            return NEW_VALUE if mutate else node["enum"][0]
        match node.get("type"):
            case "array":
                return [self.sample(node["items"], mutate=mutate) for _ in range(2)]
            case "string":
                return TEXTS.get(node.get("format", ""), "text")
            case "integer":
                return 7
            case "number":
                return 0.5
            case "boolean":
                return True
            case None if "properties" not in node:
                return "anything"
        made = {name: self.sample(of, mutate=mutate) for name, of in node.get("properties", {}).items()}
        if isinstance(more := node.get("additionalProperties"), dict):
            made["key"] = self.sample(more, mutate=mutate)
        elif mutate:
            made[NEW_FIELD] = NEW_CONTENT
        return made


def count(value: Any, wanted: Any) -> int:
    """Count how often a value is somewhere in another, keys included."""
    if value == wanted:
        return 1
    if isinstance(value, dict):
        return sum(count(v, wanted) + (k == wanted) for k, v in value.items())
    if isinstance(value, list):
        return sum(count(v, wanted) for v in value)
    return 0

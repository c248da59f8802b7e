"""The shape of a DynamoDB call: what it asks of the emulator, without names, values and amounts.

Two calls of one shape differ in data alone, so an emulator treats them alike. A batch, transaction
or list of clauses of one kind is one element: its length is data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

#: Options that change what comes back.
_OPTIONS = (
    "ConsistentRead",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "ScanIndexForward",
    "Select",
)
_PRESENT = ("IndexName", "Limit", "ExclusiveStartKey", "ClientRequestToken", "ProjectionExpression")
_EXPRESSIONS = {
    "KeyConditionExpression": "key",
    "UpdateExpression": "update",
    "ConditionExpression": "condition",
    "FilterExpression": "filter",
}
_FUNCTIONS = {"attribute_exists", "attribute_not_exists", "begins_with", "contains", "size"}
_FUNCTIONS |= {"if_not_exists", "list_append"}
_WORDS = {"SET", "ADD", "REMOVE", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN", "WHERE", "UPDATE"}
_WORDS |= {"INSERT", "INTO", "VALUE", "SELECT", "FROM", "IS", "MISSING", "ORDER", "BY", "DESC"}
_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|[#:]?[A-Za-z_0-9.\[\]]+|<=|>=|<>|[=<>(),+\-?{}:]")


def shapes_of(operation: str, sent: Mapping[str, Any]) -> Iterator[str]:
    """What a request (its body, as JSON) asks: the call with its options, and each expression."""
    match operation:
        case "BatchExecuteStatement":
            for each in sent["Statements"]:
                yield f"statement: {expression_shape(each['Statement'])} {_options(each)}".strip()
        case "TransactWriteItems":
            for action in sent["TransactItems"]:
                for kind, content in action.items():
                    yield f"{operation} {kind} {_options(content)}".strip()
                    yield from _expressions(content)
        case "BatchGetItem":
            for request in sent["RequestItems"].values():
                yield f"{operation} {_options(request)}"
        case "BatchWriteItem":
            for entries in sent["RequestItems"].values():
                yield from (f"{operation} {kind}" for entry in entries for kind in entry)
        case _:
            yield f"{operation} {_options(sent)}".strip()
            yield from _expressions(sent)


def _expressions(sent: Mapping[str, Any]) -> Iterator[str]:
    for name, what in _EXPRESSIONS.items():
        if name in sent:
            yield f"{what}: {expression_shape(sent[name])}"


def _options(sent: Mapping[str, Any]) -> str:
    given = [f"{name}={sent[name]}" for name in _OPTIONS if name in sent]
    return " ".join(given + [name for name in _PRESENT if name in sent])


def expression_shape(expression: str) -> str:
    """An expression with `a` for names and `?` for values, without repetitions."""
    tokens = [_token(token) for token in _TOKEN.findall(expression)]
    shape = " ".join(tokens).replace("( ", "(").replace(" )", ")").replace(" ,", ",")
    shape = re.sub(
        r"\b(attribute_exists|attribute_not_exists|begins_with|contains|size) ", r"\1", shape
    )
    shape = re.sub(r"\(([^()]*(?:\([^()]*\))?[^()]*)\)", _parentheses, shape)
    clauses = re.split(r" (?=(?:SET|ADD|REMOVE|WHERE) )", shape)
    return " ".join(dict.fromkeys(map(_without_repeats, clauses)))


def _without_repeats(clause: str) -> str:
    word, _, rest = clause.partition(" ")
    if word in ("SET", "ADD", "REMOVE"):
        return f"{word} {', '.join(dict.fromkeys(rest.split(', ')))}"
    return " AND ".join(dict.fromkeys(clause.split(" AND ")))


def _parentheses(found: re.Match[str]) -> str:
    """Around one term they say nothing."""
    inner = found[1]
    return f"({inner})" if " OR " in inner or "," in inner or inner == "a" else inner


def _token(token: str) -> str:
    if (
        token in _FUNCTIONS
        or token in _WORDS
        or (not token[0].isalnum() and token[0] not in "#:\"'_")
    ):
        return token
    return "?" if token[0] == ":" and len(token) > 1 else "a"

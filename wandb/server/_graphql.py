"""Execution of GraphQL requests against the schema in ``schema.graphql``.

Tolerant where clients are sloppy: an empty ``operationName`` means the only operation, variables
that no operation declares are ignored, and unused fragments or variables are no errors. Strict in
what is answered: JSON without bare NaN or Infinity.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute,
    parse,
    specified_rules,
    validate,
)
from graphql.execution import ExecutionResult
from graphql.validation import NoUnusedFragmentsRule, NoUnusedVariablesRule, VariablesInAllowedPositionRule

from ._limits import GRAPHQL_SECONDS_MAX, QUERY_CHARACTERS_MAX, QUERY_TOKENS_MAX

Resolver = Callable[..., Any]
Resolvers = Mapping[str, Mapping[str, Resolver]]

# Clients of different ages declare the same variable as ID and as String, or without the mark that it is required.
_LENIENT = (NoUnusedFragmentsRule, NoUnusedVariablesRule, VariablesInAllowedPositionRule)
RULES = tuple(rule for rule in specified_rules if rule not in _LENIENT)

# In the place of a field of an abstract type: tells the name of a value's own type.
TYPE_NAME = "__typename"

# Clients send the same few dozen documents again and again.
_DOCUMENTS_MAX = 256


class GraphQLRequestError(ValueError):
    """The envelope of a request does not have the agreed form."""


def _with_context(resolver: Resolver) -> Resolver:
    """Resolvers take the request's context instead of the library's view of the execution."""

    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        if time.monotonic() > info.context.deadline:
            raise GraphQLError(f"the answer takes longer than {GRAPHQL_SECONDS_MAX:g} seconds; ask for less at once")
        return resolver(source, info.context, **arguments)

    return resolve


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise GraphQLError(f"a text is expected, not {value!r:.100}")
    return value


def _whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        raise GraphQLError(f"a whole number is expected, not {value!r:.100}")
    # Beyond 64 bits there is nothing to be found, and the nearest bound will do.
    return max(-(2**63), min(int(value), 2**63 - 1))


# What a client may give for the schema's own scalars; JSON is anything.
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "JSONString": _text, "DateTime": _text, "Int64": _whole_number, "Duration": _whole_number,
}  # fmt: skip


class GraphQLExecutor:
    """Runs documents; knows nothing about what the fields mean."""

    def __init__(self, resolvers: Resolvers) -> None:
        text = (Path(__file__).parent / "schema.graphql").read_text(encoding="utf-8")
        self._schema = build_schema(text)
        for name, parse_value in _SCALARS.items():
            for method in ("parse_value", "coerce_input_value"):  # the library's older name and its newer one
                setattr(self._schema.type_map[name], method, parse_value)
        for type_name, fields in resolvers.items():
            graphql_type = self._schema.type_map[type_name]
            if isinstance(graphql_type, (GraphQLInterfaceType, GraphQLUnionType)):
                graphql_type.resolve_type = fields[TYPE_NAME]
                continue
            assert isinstance(graphql_type, GraphQLObjectType), type_name
            for field_name, resolver in fields.items():
                graphql_type.fields[field_name].resolve = _with_context(resolver)
        self._prepare = lru_cache(maxsize=_DOCUMENTS_MAX)(self._prepare_uncached)

    @property
    def schema(self) -> GraphQLSchema:
        return self._schema

    def _prepare_uncached(self, query: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
        try:
            document = parse(query, max_tokens=QUERY_TOKENS_MAX)
            return document, list(validate(self._schema, document, RULES))
        except GraphQLError as error:
            return None, [error]
        except RecursionError:
            return None, [GraphQLError("the query is nested too deeply")]

    def mutations(self, query: str) -> frozenset[str]:
        """The changes that a document asks for. A broken document changes nothing."""
        document, _ = self._prepare(query)
        return frozenset(
            name
            for definition in (document.definitions if document is not None else ())
            if isinstance(definition, OperationDefinitionNode) and definition.operation is OperationType.MUTATION
            for field in definition.selection_set.selections
            # A fragment at the top could hide a change, so it counts as one.
            for name in [field.name.value if isinstance(field, FieldNode) else ""]
        )

    def execute(self, query: str, variables: dict[str, Any], operation: str | None, context: object) -> dict[str, Any]:
        """Run a document and return the response object."""
        document, errors = self._prepare(query)
        if document is None or errors:
            return {"data": None, "errors": [error.formatted for error in errors]}
        result = execute(
            self._schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=operation or None,
        )
        assert isinstance(result, ExecutionResult), "every resolver is a plain function"
        response: dict[str, Any] = {"data": result.data}
        for error in result.errors or ():
            # Only a GraphQLError is meant for the client. Anything else is a failure of the
            # server, which clients should retry, and not an answer.
            if error.original_error and not isinstance(error.original_error, GraphQLError):
                raise error.original_error
        if result.errors:
            response["errors"] = [error.formatted for error in result.errors]
        return response


def parse_graphql_request(body: bytes) -> tuple[str, dict[str, Any], str | None]:
    """The document, the variables and the operation name of a request body."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise GraphQLRequestError(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict) or not isinstance(value.get("query"), str):
        raise GraphQLRequestError("the body must be an object with a 'query' text")
    if len(value["query"]) > QUERY_CHARACTERS_MAX:
        raise GraphQLRequestError(f"the query is longer than {QUERY_CHARACTERS_MAX} characters")
    variables, operation = value.get("variables"), value.get("operationName")
    if variables is None:
        variables = {}
    if not isinstance(variables, dict):
        raise GraphQLRequestError("'variables' must be an object")
    if operation is not None and not isinstance(operation, str):
        raise GraphQLRequestError("'operationName' must be a text")
    return value["query"], variables, operation

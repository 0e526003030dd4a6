"""Traces of what agents and chains of language models did, as the Trace Debugger of W&B draws them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from enum import Enum
from typing import Any, Dict, List, Optional, Type, TypeVar

from ..errors import DataError, UsageError
from ._base import Media
from ._cells import plain_cell
from ._sink import Json

_Choice = TypeVar("_Choice", bound=Enum)


class StatusCode(str, Enum):
    """How a span ended."""

    SUCCESS = "SUCCESS"
    ERROR = "ERROR"

    def __str__(self) -> str:
        return str(self.value)


class SpanKind(str, Enum):
    """What a span is about."""

    LLM = "LLM"
    CHAIN = "CHAIN"
    AGENT = "AGENT"
    TOOL = "TOOL"

    def __str__(self) -> str:
        return str(self.value)


@dataclasses.dataclass
class Result:
    """What went into a call and what came out."""

    inputs: Optional[Dict[str, Any]] = None
    outputs: Optional[Dict[str, Any]] = None


@dataclasses.dataclass
class Span:
    """One call, with those that it made. Times are milliseconds since the epoch.

    >>> from wandb.sdk.data_types.trace_tree import Span
    >>> span = Span(name="answer", start_time_ms=0, end_time_ms=1000)
    >>> span.add_child_span(Span(name="search"))
    >>> span.add_named_result({"question": "why?"}, {"answer": "because"})
    >>> [child.name for child in span.child_spans or ()]
    ['search']
    """

    span_id: Optional[str] = None
    name: Optional[str] = None
    start_time_ms: Optional[int] = None
    end_time_ms: Optional[int] = None
    status_code: Optional[StatusCode] = None
    status_message: Optional[str] = None
    attributes: Optional[Dict[str, Any]] = None
    results: Optional[List[Result]] = None
    child_spans: Optional[List[Span]] = None
    span_kind: Optional[SpanKind] = None

    def add_attribute(self, key: str, value: Any) -> None:
        """Add a fact about the call."""
        self.attributes = {**(self.attributes or {}), key: value}

    def add_named_result(self, inputs: Dict[str, Any], outputs: Dict[str, Any]) -> None:
        """Add what went in and what came out."""
        self.results = [*(self.results or ()), Result(inputs, outputs)]

    def add_child_span(self, span: Span) -> None:
        """Add a call that this one made."""
        self.child_spans = [*(self.child_spans or ()), span]


class WBTraceTree(Media):
    """A tree of spans, and a description of the model. It needs no file.

    >>> import wandb
    >>> from wandb.sdk.data_types.trace_tree import Span, WBTraceTree
    >>> with wandb.init(mode="offline") as run:
    ...     run.log({"trace": WBTraceTree(Span(name="answer"), {"_kind": "llm"})})
    >>> run.summary["trace"]["_type"]
    'wb_trace_tree'
    """

    _log_type = "wb_trace_tree"
    _folder = "media/wb_trace_tree"

    def __init__(self, root_span: Span, model_dict: Optional[Dict[str, Any]] = None) -> None:
        super().__init__()
        self._root_span = root_span
        self._model_dict = model_dict

    def is_bound(self) -> bool:
        """True: there is no file to give away."""
        return True

    def to_json(self, run_or_artifact: Any = None) -> Json:
        """The JSON object: spans and model as texts."""
        result: Json = {"_type": self._log_type}
        if self._model_dict is not None:
            text = _dump(self._model_dict)
            result["model_hash"] = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:16]
            result["model_dict_dumps"] = text
        result["root_span_dumps"] = _dump(dataclasses.asdict(self._root_span))
        return result


class Trace:
    """A span that is built step by step, and logged with those below it.

    >>> import wandb
    >>> from wandb.sdk.data_types.trace_tree import Trace
    >>> run = wandb.init(mode="offline")
    >>> trace = Trace(name="answer", kind="chain", inputs={"question": "why?"}, outputs={"answer": "because"})
    >>> _ = trace.add_child(Trace(name="search", kind="tool", status_code="success"))
    >>> trace.log("trace")
    >>> run.finish()
    >>> run.summary["trace"]["_type"]
    'wb_trace_tree'

    kind: LLM, CHAIN, AGENT or TOOL. status_code: SUCCESS or ERROR. metadata, inputs, outputs, model_dict: dictionaries.
    Times are milliseconds since the epoch. Raises DataError.
    """

    def __init__(
        self,
        name: str,
        kind: Optional[str] = None,
        status_code: Optional[str] = None,
        status_message: Optional[str] = None,
        metadata: Optional[Dict[str, Any]] = None,
        start_time_ms: Optional[int] = None,
        end_time_ms: Optional[int] = None,
        inputs: Optional[Dict[str, Any]] = None,
        outputs: Optional[Dict[str, Any]] = None,
        model_dict: Optional[Dict[str, Any]] = None,
    ) -> None:
        given = {"metadata": metadata, "inputs": inputs, "outputs": outputs, "model_dict": model_dict}
        for what, value in given.items():
            if value is not None and not isinstance(value, dict):
                raise DataError(f"Trace: {what} is a dictionary, not {type(value).__name__}")
        self._model_dict = model_dict
        self._span = Span(
            name=name,
            span_kind=None if kind is None else _choice(SpanKind, kind, "kind"),
            status_code=None if status_code is None else _choice(StatusCode, status_code, "status_code"),
            status_message=status_message,
            attributes=metadata,
            start_time_ms=start_time_ms,
            end_time_ms=end_time_ms,
            results=[Result(inputs, outputs)] if inputs or outputs else None,
        )

    def add_child(self, child: Trace) -> Trace:
        """Add a call that this one made; return this trace."""
        self._span.add_child_span(child._span)
        if self._model_dict is not None and child._model_dict is not None:
            self._model_dict[str(child._span.name)] = child._model_dict
        return self

    def add_inputs_and_outputs(self, inputs: Dict[str, Any], outputs: Dict[str, Any]) -> Trace:
        """Add what went in and what came out; return this trace."""
        self._span.add_named_result(inputs, outputs)
        return self

    def add_metadata(self, metadata: Dict[str, Any]) -> Trace:
        """Add facts about the call; return this trace."""
        self._span.attributes = {**(self._span.attributes or {}), **metadata}
        return self

    def log(self, name: str) -> None:
        """Log the tree to the active run. Raises UsageError where there is none."""
        from .. import run

        if run is None:
            raise UsageError("You must call wandb.init() before logging a trace")
        if not name.strip():
            raise UsageError("Trace.log: a trace needs a name to be logged under")
        run.log({name: WBTraceTree(self._span, self._model_dict)})

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> Optional[str]:
        """What the call is called."""
        return self._span.name

    @name.setter
    def name(self, value: Optional[str]) -> None:
        self._span.name = value

    @property
    def kind(self) -> Optional[str]:
        """LLM, CHAIN, AGENT or TOOL."""
        return None if self._span.span_kind is None else self._span.span_kind.value

    @kind.setter
    def kind(self, value: str) -> None:
        self._span.span_kind = _choice(SpanKind, value, "kind")

    @property
    def status_code(self) -> Optional[str]:
        """SUCCESS or ERROR."""
        return self._span.status_code

    @status_code.setter
    def status_code(self, value: Optional[str]) -> None:
        self._span.status_code = None if value is None else _choice(StatusCode, value, "status_code")

    @property
    def status_message(self) -> Optional[str]:
        """Why it ended so."""
        return self._span.status_message

    @status_message.setter
    def status_message(self, value: Optional[str]) -> None:
        self._span.status_message = value

    @property
    def start_time_ms(self) -> Optional[int]:
        """When it began."""
        return self._span.start_time_ms

    @start_time_ms.setter
    def start_time_ms(self, value: Optional[int]) -> None:
        self._span.start_time_ms = value

    @property
    def end_time_ms(self) -> Optional[int]:
        """When it ended."""
        return self._span.end_time_ms

    @end_time_ms.setter
    def end_time_ms(self, value: Optional[int]) -> None:
        self._span.end_time_ms = value

    @property
    def metadata(self) -> Optional[Dict[str, Any]]:
        """Facts about the call; what is set is added."""
        return self._span.attributes

    @metadata.setter
    def metadata(self, value: Dict[str, Any]) -> None:
        self.add_metadata(value)

    @property
    def inputs(self) -> Optional[Dict[str, Any]]:
        """What went in last."""
        return self._span.results[-1].inputs if self._span.results else None

    @inputs.setter
    def inputs(self, value: Dict[str, Any]) -> None:
        self._span.add_named_result(value, self.outputs or {})

    @property
    def outputs(self) -> Optional[Dict[str, Any]]:
        """What came out last."""
        return self._span.results[-1].outputs if self._span.results else None

    @outputs.setter
    def outputs(self, value: Dict[str, Any]) -> None:
        self._span.add_named_result(self.inputs or {}, value)


def _choice(kind: Type[_Choice], value: str, what: str) -> _Choice:
    try:
        return kind[str(value).upper()]
    except KeyError:
        raise DataError(f"Trace: {what} is one of {', '.join(kind.__members__)}, not {value!r}") from None


def _dump(value: Any) -> str:
    """JSON, in which what is no JSON is named by its type."""
    return json.dumps(
        plain_cell(value), skipkeys=True, default=lambda item: f"<<non-serializable: {type(item).__qualname__}>>"
    )

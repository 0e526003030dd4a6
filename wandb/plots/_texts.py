"""What language models find in texts, as pages that their libraries draw."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from ..data_types import Html
from ..data_types._optional import load

_MODEL = "en_core_web_md"
_DEPENDENCIES = {
    "compact": True, "color": "#1a1c1f", "font": "Source Sans Pro", "collapse_punct": True, "collapse_phrases": True,
}  # fmt: skip


def part_of_speech(docs: Any) -> Html:
    """The parts of speech in a text and what depends on what, found and drawn by spaCy."""
    return Html(_displacy("part_of_speech").render(_parsed(docs), "dep", page=True, minify=True, options=_DEPENDENCIES))


def named_entity(docs: Any) -> Html:
    """The names in a text and what they are names of, found and drawn by spaCy."""
    return Html(_displacy("named_entity").render(_parsed(docs), "ent", page=True, minify=True))


def explain_text(text: str, probas: Any, target_names: Optional[Sequence[str]] = None) -> Html:
    """Which words of a text made a classifier decide as it did, found and drawn by eli5.

    probas: a function from a list of texts to their probabilities, (texts, classes).
    """
    explainer = load("eli5.lime", "eli5", "explain_text").TextExplainer(random_state=42)
    explainer.fit(text, probas)
    return Html(explainer.show_prediction(target_names=target_names).data)


def _displacy(what: str) -> Any:
    return load("spacy", "spacy", what).displacy


def _parsed(docs: Any) -> Any:
    """A text as spaCy has parsed it; what is parsed already stays as it is."""
    if hasattr(docs, "ents"):
        return docs
    return load(_MODEL, f"the model {_MODEL} (python -m spacy download {_MODEL})", "a text").load()(str(docs))

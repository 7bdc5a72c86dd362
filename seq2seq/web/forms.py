"""What a request to the API may say, field by field, with the ranges that its OpenAPI document names.

It knows fields and ranges; it knows neither models nor what is done with a request.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seq2seq.web import limits

MAX_TEXTS = 128
"""Most texts of one request."""
MAX_PHRASES = 100
"""Most phrases that a translation must or must not say, and most terms of a glossary."""

MAX_PIECES = 257
"""Most pieces of a sentence, its end included."""

DEEPEST = 8
"""Lists and objects in each other; no form has so many."""

Phrase = Annotated[str, Field(max_length=200)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Bias = Annotated[float, Field(allow_inf_nan=False, ge=-1e4, le=1e4)]


class Form(BaseModel):
    """A JSON object without unknown fields, whose values are of their own type already."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _whole_characters(cls, value: Any) -> Any:
        """Half a character, which JSON can write, becomes the sign for one that is unknown."""
        return _whole(value)


def _whole(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if depth > DEEPEST and isinstance(value, list | dict):
        return None  # which no field can be
    if isinstance(value, list):
        return [_whole(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(each, depth + 1) for key, each in value.items()}
    return value


class Search(Form):
    """How to search; what is not given is the model's own."""

    beam: int | None = Field(
        default=None, ge=1, le=limits.MAX_BEAM, description="Hypotheses kept at each step; 1 is greedy."
    )
    length_penalty: Number | None = Field(default=None, ge=0, le=4, description="Higher prefers longer translations.")
    coverage_penalty: Number | None = Field(default=None, ge=0, le=4, description="Higher leaves no source word out.")
    word_reward: Number | None = Field(default=None, ge=-10, le=10, description="Added to the score for each piece.")
    min_length: int | None = Field(default=None, ge=0, le=500)
    max_length: int | None = Field(default=None, ge=0, le=500, description="Most pieces; 0: by the source.")
    min_ratio: Number | None = Field(default=None, ge=0, le=4)
    max_ratio: Number | None = Field(default=None, gt=0, le=8)
    no_repeat: int | None = Field(default=None, ge=0, le=8)
    diversity: Number | None = Field(default=None, ge=0, le=10)
    temperature: Number | None = Field(default=None, ge=0, le=10, description="Draw at random instead of searching.")
    top_k: int | None = Field(default=None, ge=0, le=1_000_000)
    top_p: Number | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=0, lt=2**31)


class Terms(Form):
    """What a translation must and must not say."""

    prefix: str = Field(default="", max_length=1000)
    required: list[Phrase] = Field(default=[], max_length=MAX_PHRASES)
    forbidden: list[Phrase] = Field(default=[], max_length=MAX_PHRASES)
    glossary: dict[Phrase, Phrase] = Field(default={}, max_length=MAX_PHRASES)
    protect: bool = Field(default=True, description="Keep URLs, numbers with units, placeholders and tags.")
    attend: dict[Phrase, Bias] = Field(
        default={}, max_length=MAX_PHRASES, description="Source words, and what is added to their attention scores."
    )
    attention_bias: list[Bias] = Field(
        default=[], max_length=MAX_PIECES, description="The same for each source piece: -10000 mutes, 2.3 boosts."
    )


class Ask(Form):
    """Which model is asked, and how."""

    model: str | None = Field(default=None, description="A name from /v1/models. Default: the first that fits.")
    source_language: str | None = Field(default=None, description="Such as en; picks a model where none is named.")
    target_language: str | None = None
    search: Search = Field(default_factory=Search)
    terms: Terms | None = None


class Translate(Ask):
    """Texts to translate."""

    text: str | list[str] = Field(description="One text, or several.", examples=["The house is red."])
    n_best: int = Field(default=1, ge=1, le=limits.MAX_BEAM, description="How many hypotheses of each text.")
    min_confidence: Number | None = Field(
        default=None, ge=0, le=1, description="Say nothing of a text where the model is less sure than this."
    )
    use_memory: bool = Field(default=True, description="Answer with the correction that is remembered of a text.")


class Explain(Ask):
    """A sentence to look into."""

    text: str = Field(examples=["The house is red."])
    target: str | None = Field(default=None, description="A translation to explain instead of searching for one.")
    cells: bool = Field(default=False, description="With gates and states, and the gradient through time.")
    beam: bool = Field(default=False, description="With the search as a tree.")
    alternatives: int | None = Field(default=None, ge=1, le=50)
    step: int | None = Field(default=None, ge=0)
    influence: bool = Field(default=False, description="With what each source piece does, by hiding it.")
    saliency: bool = Field(default=False, description="The same by gradients; needs TensorFlow on the server.")


class Correction(Form):
    """A text and what it should be called."""

    source: str
    target: str
    model: str | None = Field(default=None, description="Whose languages these are. Default: the first that fits.")
    source_language: str | None = None
    target_language: str | None = None


class Match(BaseModel):
    """A text that is remembered."""

    id: int
    kind: str = Field(description="exact or fuzzy")
    similarity: float
    source: str
    target: str


class Hypothesis(BaseModel):
    """One possible translation."""

    text: str
    score: float
    log_prob: float
    finished: bool


class Sentence(BaseModel):
    """A sentence of a text."""

    source: str
    text: str
    score: float
    confidence: float | None
    hypotheses: list[Hypothesis]
    flags: list[str]
    memory: list[Match]


class Translation(BaseModel):
    """The translation of one text."""

    source: str
    text: str = Field(description="The correction that is remembered, or the best hypothesis.")
    origin: str = Field(description="memory, model, or withheld: the model was less sure than min_confidence")
    score: float
    confidence: float | None = Field(description="The estimated chance that it is right; null where never measured.")
    hypotheses: list[Hypothesis]
    sentences: list[Sentence]
    flags: list[str]
    warnings: list[str]
    memory: list[Match]


class Translations(BaseModel):
    """Translations, in the order of the texts."""

    model: str
    source_language: str
    target_language: str
    engine: str
    milliseconds: float
    translations: list[Translation]


class Model(BaseModel):
    """A model that can be asked."""

    name: str
    source_language: str
    target_language: str
    source_name: str
    target_name: str
    right_to_left: list[bool] = Field(description="Of source and target.")
    default: bool
    loaded: bool
    reverse: str | None = Field(description="The model that translates back.")
    scores: list[dict[str, Any]]


class Models(BaseModel):
    """All models, and what a request may hold."""

    models: list[Model]
    memory: bool = Field(description="Whether corrections are remembered.")
    files: list[str] = Field(description="Endings of the names of files that can be translated.")
    limits: dict[str, int]


class Kept(BaseModel):
    """A correction that is remembered."""

    id: int
    source: str
    target: str
    source_language: str
    target_language: str


class Message(BaseModel):
    """What went wrong, in one sentence."""

    message: str


class Error(BaseModel):
    """The form of every answer that is no success."""

    error: Message

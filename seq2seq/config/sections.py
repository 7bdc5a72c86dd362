"""The settings themselves: frozen sections, each value with its default and the range it must lie in.

It owns the defaults; it does not know what any setting is used for, or how settings are read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Rate = Annotated[float, Meta(ge=0.0, lt=1.0)]
Count = Annotated[int, Meta(ge=1)]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of settings: frozen, unknown keys refused."""


class CorpusConfig(Section, frozen=True, kw_only=True):
    """What a sentence pair must satisfy to be trained on, and how many are held out."""

    max_characters: Count = 1000
    """Longest side of a pair, in characters; wide ones (Chinese, Japanese, Korean) count twice."""
    max_ratio: Annotated[float, Meta(gt=1.0)] = 4.0
    """Longest side over shortest side, in characters; pairs under 20 characters are exempt."""
    valid: Annotated[int, Meta(ge=0)] = 2000
    """Most pairs held out for validation when no validation files are given; at most a tenth of the corpus."""
    test: Annotated[int, Meta(ge=0)] = 2000
    """Most pairs held out for testing; at most a tenth of the corpus."""
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 1
    """Of the draw of these pairs: runs on the same text hold the same ones out, whatever their `training.seed`."""
    unicode: Literal["NFC", "NFKC"] = "NFC"
    """Unicode normalisation form of every sentence."""
    weights: tuple[Annotated[float, Meta(gt=0.0, le=1000.0)], ...] = ()
    """How often an epoch the pairs of each of several corpora are seen; 0.5 is half of them. Empty: once."""


class TokenizerConfig(Section, frozen=True, kw_only=True):
    """SentencePiece. Byte fallback is always on, so nothing is ever lost to the unknown piece."""

    kind: Literal["unigram", "bpe"] = "unigram"
    vocabulary: Annotated[int, Meta(ge=261, le=64000)] = 8000
    """Pieces, the four specials and the 256 bytes included."""
    joint: bool = True
    """One vocabulary for both languages (needed to tie the three embedding tables)."""
    symbols: tuple[str, ...] = ()
    """Pieces that are never split, such as placeholders."""


class ModelConfig(Section, frozen=True, kw_only=True):
    """Sizes of the network. `units` is the decoder's D; each encoder direction has half of it."""

    embedding: Count = 256
    units: Annotated[int, Meta(ge=2, multiple_of=2)] = 512
    encoder_layers: Count = 1
    decoder_layers: Count = 2
    attention: Literal["additive", "general", "dot"] = "general"
    residual: bool = True
    """Whether each further decoder layer adds the one below it. The encoder's add theirs wherever the widths agree."""
    tied: bool = True
    """One table for source embedding, target embedding and output layer; the last two alone where nothing is joint."""
    embedding_dropout: Rate = 0.3
    dropout: Rate = 0.3
    """Between recurrent layers, and on what the decoder layers read."""
    readout_dropout: Rate = 0.3
    word_dropout: Rate = 0.0
    """Share of whole source and target input tokens whose embedding is zeroed in training."""
    variational_dropout: bool = True
    """Whether a unit is dropped for all steps of a sentence, instead of step by step; words are not affected."""


DROPOUTS = ("embedding_dropout", "dropout", "readout_dropout", "word_dropout")
"""The settings of a model that are rates of dropout."""


class TrainingConfig(Section, frozen=True, kw_only=True):
    """The optimisation: Adam with warm-up and decay, early stopping on BLEU, an average of the best checkpoints."""

    epochs: Count = 24
    batch_tokens: Annotated[int, Meta(ge=16)] = 1200
    """Tokens a batch on the longer of its two sides, padding included."""
    accumulate: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Batches whose gradients are added up before a step: as one larger batch, in the memory of one."""
    max_tokens: Annotated[int, Meta(ge=4)] = 100
    """Longest source or target in pieces, end of sentence included; longer pairs are left out and counted."""
    learning_rate: Annotated[float, Meta(gt=0.0)] = 1e-3
    final_learning_rate: Annotated[float, Meta(ge=0.0)] = 2e-5
    """What it falls to; one that is lower from the beginning stays."""
    warmup_steps: Annotated[int, Meta(ge=0)] = 400
    schedule: Literal["cosine", "inverse_sqrt", "constant", "plateau"] = "cosine"
    plateau_patience: Count = 2
    """Epochs without a lower validation perplexity before schedule "plateau" lowers the learning rate."""
    plateau_factor: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.5
    """What it is multiplied by then."""
    clip_norm: Annotated[float, Meta(gt=0.0)] = 1.0
    label_smoothing: Rate = 0.1
    sampling: Rate = 0.0
    """alpha of subword sampling: source sentences are split into pieces anew each epoch (Kudo 2018); 0 never does."""
    r_drop: Annotated[float, Meta(ge=0.0, le=20.0)] = 0.0
    """alpha of R-Drop: each pair is read twice a step, and its two predictions should agree; 0 reads it once."""
    guided_attention: Annotated[float, Meta(ge=0.0, le=100.0)] = 0.0
    """Weight of the loss that draws attention to given links of words; with alignments 0.1 unless said, else 0."""
    moving_average: Rate = 0.0
    """Decay a step of the moving average of the weights, which is then what is judged and kept; 0 keeps none."""
    average: Count = 5
    """How many of the best checkpoints are averaged at the end, if that is better than the best one alone."""
    patience: Count = 6
    """Epochs without a better validation BLEU before training stops."""
    checkpoint_minutes: Annotated[float, Meta(gt=0.0)] = 5.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 1

    def steps(self, batches: int) -> int:
        """Steps of all epochs, where each has so many batches; the last step of an epoch may have fewer of them.

        >>> TrainingConfig(accumulate=2, epochs=10).steps(batches=5)
        30
        """
        return -(-batches // self.accumulate) * self.epochs


class SearchConfig(Section, frozen=True, kw_only=True):
    """Beam search, or sampling. Greedy is a beam of one."""

    beam: Annotated[int, Meta(ge=1, le=64)] = 5
    n_best: Annotated[int, Meta(ge=1, le=64)] = 1
    """How many hypotheses are returned; at most the beam, or how many are drawn at a `temperature`."""
    length_penalty: Annotated[float, Meta(ge=0.0, le=4.0)] = 1.0
    """alpha of ((5 + length) / 6) ** alpha; 0 ranks by plain log-probability."""
    word_reward: Annotated[float, Meta(ge=-10.0, le=10.0)] = 0.0
    """gamma, added to the score for each piece."""
    coverage_penalty: Annotated[float, Meta(ge=0.0, le=4.0)] = 0.0
    """beta of the GNMT coverage penalty; 0 turns it off."""
    min_length: Annotated[int, Meta(ge=0)] = 0
    """Fewest pieces before the end of sentence."""
    max_length: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Most pieces of a translation, end included; 0 means as `max_ratio` says."""
    min_ratio: Annotated[float, Meta(ge=0.0, le=4.0)] = 0.0
    """Fewest pieces of a translation for each piece of the source, end included."""
    max_ratio: Annotated[float, Meta(gt=0.0, le=8.0)] = 2.0
    """Most pieces of a translation for each piece of the source, end included, and ten more."""
    no_repeat: Annotated[int, Meta(ge=0, le=8)] = 0
    """No so many pieces in a row are said twice; 0 allows repeats."""
    diversity: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.0
    """What a hypothesis loses in the beam for each better one that differs from it in the last piece alone."""
    temperature: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.0
    """0 searches. Above, `n_best` translations are drawn at random from logits divided by this; the beam is unused."""
    top_k: Annotated[int, Meta(ge=0)] = 0
    """Draw from so many of the most probable pieces; 0 is all of them."""
    top_p: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    """Draw from the fewest pieces that hold this share of the probability."""
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 1
    """Of what is drawn; the same seed draws the same translation of a sentence again."""

    def __post_init__(self) -> None:
        if self.n_best > self.beam and not self.temperature:
            raise ValueError(f"n_best must be at most the beam. Received: n_best {self.n_best}, beam {self.beam}")
        if self.temperature and self.diversity:
            raise ValueError(f"diversity belongs to beam search. Received: {self.diversity}, and a temperature")
        if not self.temperature and (self.top_k or self.top_p < 1):
            raise ValueError(
                f"top_k and top_p need a temperature. Received: top_k {self.top_k}, top_p {self.top_p}, temperature 0"
            )


class Config(Section, frozen=True, kw_only=True):
    """Everything that decides what a training run makes; saved, resolved, with the model."""

    source_language: str = ""
    target_language: str = ""
    corpus: CorpusConfig = CorpusConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    search: SearchConfig = SearchConfig()

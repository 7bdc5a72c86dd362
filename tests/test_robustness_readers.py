"""Corpora and settings of any bytes: pairs or settings come out, or one sentence of ours."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from robust import damaged, is_sentence, shared

from seq2seq import config, corpus
from seq2seq.config import ConfigError
from seq2seq.corpus import CorpusError
from seq2seq.corpus.reading import blocks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

LINES = "The key.\nHe said “no”.\n\nemoji 👩‍👩‍👧 \u2028 x\n".encode()
UNIT = '<tu><tuv xml:lang="en"><seg>a <bpt i="1">b</bpt>&amp;</seg></tuv><tuv xml:lang="de"><seg>c</seg></tuv></tu>'
SAMPLES = {
    ".en": LINES,
    ".tsv": b"en\tde\nThe key.\tDer\nHe\tEr\n\t\n",
    ".csv": b'source,target,x\r\n"The ""key"", him",Der,1\r\n"a\nb",c,2\r\n',
    ".jsonl": b'{"en": "a key", "de": "D"}\n{"translation": {"en": "a", "de": "b"}}\n["c", "d"]\n{"en": null}\n',
    ".tmx": f'<?xml version="1.0"?>\n<tmx version="1.4"><header srclang="en"/><body>{UNIT * 2}</body></tmx>'.encode(),
}
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
SAMPLES |= {f".tsv{packing}": pack(SAMPLES[".tsv"] * 4) for packing, pack in PACKERS.items()}
with contextlib.suppress(ImportError):  # of the extra `train`
    import zstandard

    SAMPLES[".tsv.zst"] = zstandard.ZstdCompressor().compress(SAMPLES[".tsv"] * 4)


@pytest.mark.parametrize("ending", SAMPLES)
def test_any_corpus_gives_pairs_or_one_sentence(tmp_path: Path, ending: str) -> None:
    @given(damaged([SAMPLES[ending]]))
    @shared(len(SAMPLES) + 1)
    def read(content: bytes) -> None:
        path, other = tmp_path / f"a{ending}", tmp_path / "a.de"
        path.write_bytes(content)
        other.write_bytes(LINES)
        paths = [path, other] if ending == ".en" else [path]
        try:
            for source, target in corpus.read(*paths, source_language="en", target_language="de"):
                assert isinstance(source, str) and isinstance(target, str)
        except CorpusError as error:
            assert is_sentence(error)
        with contextlib.suppress(CorpusError):  # and every row that holds no pair is named
            for block in blocks(*paths, languages=("en", "de")):
                assert len(block.lines) == len(block.sources) == len(block.targets)

    read()


def test_any_word_alignment_is_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_bytes(b"one two three\nfour five\n" * 30)
    (tmp_path / "a.de").write_bytes(b"eins zwei drei\nvier funf\n" * 30)

    @given(damaged([b"0-0 1-1 2-2\n0-1 1-0\n" * 30], [b"0-99999999999", b"-", b"3-3", b" \t "]))
    @shared(len(SAMPLES) + 1)
    def read(content: bytes) -> None:
        (tmp_path / "a.links").write_bytes(content)
        pairs = corpus.Mixture(((tmp_path / "a.en", tmp_path / "a.de"),), (tmp_path / "a.links",))
        try:
            next(iter(pairs_of(pairs)))
        except CorpusError as error:
            assert is_sentence(error)

    read()


def pairs_of(mixture: corpus.Mixture):
    """The first block of a corpus with its links, checked against its texts."""
    from seq2seq.corpus import links

    ((source, target),), (alignment,) = mixture.corpora, mixture.alignments
    for block in links.linked(blocks(source, target), alignment):
        assert block.links is not None
        texts = block.sources, block.targets
        yield links.fitted(block.links, texts, texts, kept=[True] * len(block.sources), form="NFC")


SETTINGS = config.dump(config.build({"source_language": "en", "target_language": "de"})).encode()
YAML = [
    b"2020-13-45",
    b"0x",
    b"1:60",
    b"!!int x",
    b"!!float y",
    b"!!binary z",
    b"&a [*a]",
    b"{a: *b}",
    b"? [1]: 2",
    b"<<: 1",
]
YAML += [
    b"nan",
    b".nan",
    b".inf",
    b"1e999",
    b"-.inf",
    b"null",
    b"[]",
    b"{}",
    b"'",
    b"- ",
    b"!!python/object:x",
    b"[" * 2000,
]
SECTIONS = msgspec.to_builtins(config.build({}))
NAMES = [f"{name}.{key}" for name, section in SECTIONS.items() if isinstance(section, dict) for key in section]
NAMES += [*SECTIONS, *(f"{name}." for name in SECTIONS)]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([scrap.decode() for scrap in YAML]),
)


def buildable(settings: dict) -> None:
    """What was taken can be written, and read again as the same."""
    made = config.build(settings)
    assert config.build(yaml.safe_load(config.dump(made))) == made


@given(damaged([SETTINGS, b"model: {units: 8}\n", b"training:\n  epochs: 3\n"], YAML))
@shared(3)
def test_any_file_of_settings_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "settings.yaml"
    path.write_bytes(content)
    try:
        buildable(config.load(path))
    except ConfigError as error:
        assert is_sentence(error)


@given(
    st.lists(
        st.one_of(
            st.text(max_size=20),
            st.builds("{}={}".format, st.sampled_from(NAMES), scalars),
            st.builds("{}={}".format, st.text("amodel.training", max_size=12), scalars),
        ),
        max_size=4,
    )
)
@example(["training.learning_rate=nan"])
@shared(3)
def test_any_assignment_is_taken_or_refused(pairs: list[str]) -> None:
    try:
        buildable(config.assignments(pairs))
    except ConfigError as error:
        assert is_sentence(error)


@given(st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3)))
@shared(3)
def test_any_value_of_a_section_is_taken_or_refused(value: object) -> None:
    for settings in (
        {"model": value},
        {"training": {"epochs": value}},
        {"tokenizer": {"symbols": value}},
        {"x": value},
    ):
        try:
            buildable(settings)
        except ConfigError as error:
            assert is_sentence(error)

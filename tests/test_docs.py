"""docs/ says what the code does: quotes stand in their files, examples print what is shown, links lead on."""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
from pathlib import Path

import pytest

from seq2seq import Translator, config, documents

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
MEMORY_CELL = (ROOT / "docs" / "memory-cell.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTE = re.compile(r"# (seq2seq/\S+\.py)\n(.+)", re.DOTALL)

BLOCKS = [body for _, body in FENCE.findall(MEMORY_CELL)]
QUOTED = [(quote[1], quote[2]) for body in BLOCKS if (quote := QUOTE.fullmatch(body))]
EXAMPLES = [body for body in BLOCKS if not QUOTE.fullmatch(body)]
GATES = re.findall(r"^\| [a-z ]+ \| \$.+\$ \| `(.+?)` \|", MEMORY_CELL, re.MULTILINE)


def lines(path: str) -> list[str]:
    return (ROOT / path).read_text(encoding="utf-8").splitlines()


def passages(path: str, length: int) -> set[str]:
    """Every run of this many lines of a file, moved to the left margin."""
    text = lines(path)
    return {textwrap.dedent("\n".join(text[start : start + length])) for start in range(len(text) - length + 1)}


def without_code(page: str) -> str:
    return re.sub(r"`[^`\n]*`|\$[^$\n]+\$", "", FENCE.sub("", page))


def anchors(page: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_block_is_python_with_something_in_it() -> None:
    assert {language for language, _ in FENCE.findall(MEMORY_CELL)} == {"python"}
    assert MEMORY_CELL.count("\n```") == 2 * len(BLOCKS), "a fence is not closed"
    assert len(QUOTED) >= 15
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize(("path", "body"), QUOTED, ids=[body.split("\n")[0].strip()[:40] for _, body in QUOTED])
def test_a_quote_stands_in_its_file(path: str, body: str) -> None:
    assert body.rstrip("\n") in passages(path, len(body.splitlines()))


def test_the_table_of_gates_holds_the_lines_of_the_cell() -> None:
    code = lines("seq2seq/lstm.py")
    first = code.index("    z_i, z_f, z_g, z_o = tf.split(z, 4, axis=-1)") + 1
    assert [line.strip() for line in code[first : first + 6]] == GATES


def test_examples_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for body in EXAMPLES:
        shown = [line[2:] for line in body.splitlines() if line.startswith("# ")]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(body, "docs/memory-cell.md", "exec"), names)
        assert out.getvalue().splitlines() == shown, body
    left = names["left"]
    assert isinstance(left, dict)
    after_20 = {name: values[20] for name, values in left.items()}
    assert after_20[1] < 1e-3 < 1 < after_20[3], "one plain recurrence vanishes, the other explodes"
    assert after_20["bias 0"] < after_20["bias 1"] / 50 < after_20["bias 2"] / 50 < after_20["bias 4"] / 50
    assert (tmp_path / "gradients.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if target.startswith("#"):
            assert target[1:] in anchors(text), target
        elif not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_formulas_are_written_so_that_markdown_leaves_them_alone(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    assert text.count("$") % 2 == 0
    for formula in re.findall(r"\$+([^$]+)\$+", text):
        assert formula.count("{") == formula.count("}"), formula
        assert not re.search(r"(?<![\w])_|\*|\\\\|\\[,;{}|_]", formula), f"Markdown would read into {formula}"


SETTINGS = re.findall(
    r"^\| (`(?:tokenizer|model|training)\..+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| .+ \|$",
    (ROOT / "docs" / "training.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize("row", SETTINGS, ids=[row[0] for row in SETTINGS])
def test_the_table_of_settings_holds_the_defaults(row: tuple[str, ...]) -> None:
    for path in re.findall(r"`(\w+)\.(\w+)`", row[0]):
        for pairs, said in zip((2_999, 14_999, 59_999, 60_000), row[1:], strict=True):
            section, name = path
            value = getattr(getattr(config.build(config.defaults(pairs)), section), name)
            assert said == "true" if value is True else said == str(value) or float(said) == value, (path, pairs)


def test_the_table_of_settings_is_there() -> None:
    assert len(SETTINGS) == 17


def test_markup_goes_where_the_page_says(pretrained: Path, tmp_path: Path) -> None:
    pytest.importorskip("markdown_it")
    page = " ".join((ROOT / "docs" / "documents.md").read_text(encoding="utf-8").split())
    before, after = re.search(r'inside it: "(.+?)" becomes "(.+?)";', page).groups()  # type: ignore[union-attr]
    (tmp_path / "a.md").write_text(before + "\n", encoding="utf-8")
    documents.translate(Translator.load(pretrained), tmp_path / "a.md", tmp_path / "b.md")
    assert (tmp_path / "b.md").read_text(encoding="utf-8") == after + "\n"

"""Documents: everything but the text stays, to the byte where the format allows it, and nothing is half-written."""

from __future__ import annotations

import html
import io
import json
import random
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import web_standin
from injections import PAYLOADS

from seq2seq import documents
from seq2seq.cli import shell
from seq2seq.documents import archives, files
from seq2seq.documents.projection import Link, links, project
from seq2seq.documents.units import Atom, Element, reflow
from seq2seq.documents.work import Work

Translate = Callable[..., str]


class Upper:
    """Translates by shouting; the words `{lost}` and everything in braces are lost if they are not alone."""

    source_language, target_language = "en", "xx"

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, texts, *, search=None, terms=None):
        self.calls.append(list(texts))
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> SimpleNamespace:
        said = re.sub(r"\{.*?\} ?", "", text).upper()
        return SimpleNamespace(source=text, text=said, sentences=(), flags=("lost",) if said == "LOST" else ())

    def explain(self, text, *, target):
        raise ValueError("A sentence must have at most 256 pieces. Received: more")


class Words(web_standin.Translator):
    """The stand-in of the web tests; it reads each word where it writes it."""

    def explain(self, text, *, target):
        source, target = (["▁" + word for word in each.split()] for each in (text, target))
        trace = {"source": source, "target": target, "attention": np.eye(len(target), len(source)).tolist()}
        return SimpleNamespace(to_json=lambda: json.dumps(trace))


@pytest.fixture
def translate(tmp_path: Path) -> Translate:
    """Writes a file, translates it with the stand-in and gives what came out."""

    def translate(name: str, content: str | bytes, translator: object = None, **settings: object) -> str:
        source, target = tmp_path / name, tmp_path / f"out-{name}"
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        documents.translate(translator or Words(), source, target, **settings)
        return target.read_bytes().decode("utf-8")

    return translate


class TestTextFiles:
    def test_lines_line_ends_and_white_space_stay(self, translate: Translate) -> None:
        assert translate("a.txt", "The key\r\n\r\n  a sunset \n12 %\nlast: you") == (
            "der Schlüssel\r\n\r\n  einen Sonnenuntergang \n12 %\nlast: Sie"
        )

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_a_byte_order_mark_tells_the_encoding_and_stays(self, tmp_path: Path, encoding: str) -> None:
        source, target = tmp_path / "a.txt", tmp_path / "b.txt"
        source.write_bytes("the key\n".encode(encoding))
        documents.translate(Words(), source, target)
        assert target.read_bytes() == "der Schlüssel\n".encode(encoding)

    def test_an_encoding_can_be_given(self, tmp_path: Path) -> None:
        source = tmp_path / "a.txt"
        source.write_bytes("the key é\n".encode("latin-1"))
        documents.translate(Words(), source, source, encoding="latin-1")
        assert source.read_bytes() == "der Schlüssel é\n".encode("latin-1")

    def test_memory_does_not_grow_with_the_file(self, tmp_path: Path) -> None:
        source = tmp_path / "a.txt"
        source.write_text("the key\n" * 1000)
        translator, shares = Upper(), []
        report = documents.translate(translator, source, tmp_path / "b.txt", progress=shares.append)
        assert report.texts == 1000
        assert len(translator.calls) == 4  # of at most 256 lines, in which equal ones are one
        assert shares == sorted(shares) and shares[-1] == 1.0

    def test_what_progress_raises_ends_the_work_and_leaves_nothing(self, tmp_path: Path) -> None:
        source = tmp_path / "a.txt"
        source.write_text("the key\n" * 1000)

        def stop(share: float) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            documents.translate(Upper(), source, tmp_path / "b.txt", progress=stop)
        assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_an_encoding_with_a_mark_in_its_name(self, translate: Translate, encoding: str, tmp_path: Path) -> None:
        plain = {"utf-8-sig": "utf-8"}.get(encoding, f"{encoding}-le")
        for text in ("the key,b\n".encode(plain), "the key,b\n".encode(encoding)):
            (tmp_path / "a.csv").write_bytes(text)
            documents.translate(Upper(), tmp_path / "a.csv", tmp_path / "b.csv", encoding=encoding)
            marked = text.decode(plain).startswith("\ufeff")
            assert (tmp_path / "b.csv").read_bytes().decode(plain) == "\ufeff" * marked + "THE KEY,b\n"


class TestTables:
    def test_a_first_line_may_tell_excel_what_divides_the_columns(self, translate: Translate) -> None:
        table = "sep=;\r\ntext;a,b\r\nthe key;1,2\r\n"
        for columns in (["text"], ["1"]):
            done = translate("a.csv", table, Upper(), columns=columns)
            head = "text" if columns == ["text"] else "TEXT"
            assert done == f"sep=;\r\n{head};a,b\r\nTHE KEY;1,2\r\n"

    def test_only_the_named_column_and_not_the_heads(self, translate: Translate) -> None:
        table = "id\tkey\tnote\n1\tthe key\tthe key\n\n2\t\tyou\n"
        assert translate("a.tsv", table, columns=["key"]) == "id\tkey\tnote\n1\tder Schlüssel\tthe key\n\n2\t\tyou\n"

    def test_quotation_marks_stay_and_come_where_they_are_needed(self, translate: Translate) -> None:
        table = 'the key,"a, ""key"""\nyou,"two\nlines, you"\nhim,\n'
        assert translate("a.csv", table, columns=["1", "2"]) == (
            'der Schlüssel,"einen, ""Schlüssel"""\nSie,"two\nlines, Sie"\nihm,\n'
        )
        comma = SimpleNamespace(source="a", text='a, "b"', sentences=(), flags=())
        translator = lambda texts, **_: [comma for _ in texts]  # noqa: E731
        translator.target_language = "xx"  # type: ignore[attr-defined]
        translator.source_language = "en"
        assert translate("a.csv", "a;b\n", translator) == '"a, ""b""";b\n'.replace('"a, ""b"""', '"a, ""b"""')

    def test_semicolons_serve_too(self, translate: Translate) -> None:
        assert translate("a.csv", "the key;you, him;\n", columns=["2"]) == "the key;Sie, ihm;\n"

    def test_a_quotation_mark_in_a_field_is_a_character(self, translate: Translate) -> None:
        assert (
            translate("a.csv", 'the key 5",you 6"\nyou 5",him\n', columns=["2"]) == 'the key 5","Sie 6"""\nyou 5",ihm\n'
        )
        assert translate("a.csv", ' "the key, you",you\n', columns=["2"]) == ' "the key, you",Sie\n'
        tabs = 'id\tde\ten\n1\t\t"you"\n'
        assert translate("a.csv", tabs, columns=["en"]) == 'id\tde\ten\n1\t\t"Sie"\n'
        assert translate("a.csv", tabs, columns=["de"]) == tabs
        assert translate("a.csv", '"a ""\n"";b";you\n', columns=["2"]) == '"a ""\n"";b";Sie\n'

    def test_a_field_of_many_lines_takes_time_by_its_length(self, translate: Translate) -> None:
        table = 'you,"' + "\n" * 200_000 + '"\n'
        begun = time.process_time()
        assert translate("a.csv", table, columns=["1"]) == table.replace("you", "Sie")
        tabs = "you" + "\t" * 100_000 + "\n"
        assert translate("a.csv", tabs, columns=["1"]) == tabs.replace("you", "Sie")
        assert time.process_time() - begun < 5

    @pytest.mark.parametrize("column", ["three", "3", "0"])
    def test_a_column_that_is_not_there_is_one_sentence(self, translate: Translate, column: str) -> None:
        with pytest.raises(documents.DocumentError, match=f"number from 1 to 2, or a name.*a.tsv \\('{column}'\\)"):
            translate("a.tsv", "a\tb\n", columns=[column])

    def test_columns_of_what_is_no_table(self, translate: Translate) -> None:
        with pytest.raises(documents.DocumentError, match="Columns must be those of a table"):
            translate("a.txt", "a\n", columns=["1"])

    def test_a_quotation_mark_without_its_partner(self, translate: Translate) -> None:
        with pytest.raises(documents.DocumentError, match=r"must have its partner. Received: .*a.csv, line 2"):
            translate("a.csv", 'a,b\n"c,d\ne,f\n')


class TestSubtitles:
    SRT = "1\r\n00:00:01,000 --> 00:00:02,000 X1:1\r\n<i>I have never seen such\r\na beautiful sunset</i>\r\n\r\n"

    def test_times_tags_and_lines_stay(self, translate: Translate) -> None:
        done = translate("a.srt", self.SRT + "2\r\n00:00:03,000 --> 00:00:04,000\r\n{\\an8}- you\r\n- him\r\n")
        assert done.split("\r\n")[:5] == [
            "1", "00:00:01,000 --> 00:00:02,000 X1:1",
            "<i>ich habe nie gesehen solch einen", "schönen Sonnenuntergang</i>", "",
        ]  # fmt: skip
        assert done.endswith("\r\n{\\an8}- Sie\r\n- ihm\r\n")

    def test_webvtt_keeps_its_head_notes_and_styles(self, translate: Translate) -> None:
        kept = (
            "WEBVTT the key\n\nNOTE the key\n\nSTYLE\n::cue(the key) {}\n\nthe key\n00:01.000 --> 00:02.000 align:end\n"
        )
        assert (
            translate("a.vtt", kept + "<v you>the key &amp; him</v>\n") == kept + "<v you>der Schlüssel &amp; ihm</v>\n"
        )

    def test_a_sentence_of_several_captions_is_translated_as_one(self, translate: Translate) -> None:
        captions = "1\n00:00:01,000 --> 00:00:02,000\n{}\n\n2\n00:00:02,000 --> 00:00:03,000\n{}\n"
        translator = Upper()
        for one, other in (("I have never seen", "such a sunset."), ("I am here", "That is it")):
            assert translate("a.srt", captions.format(one, other), translator) == captions.format(one, other).upper()
        assert translator.calls == [["I have never seen such a sunset."], ["I am here", "That is it"]]
        long = "".join(f"{i}\n00:00:0{i},000 --> 00:00:0{i},500\nand on\n\n" for i in range(9))
        assert translate("a.srt", long, translator) == long.upper()
        assert translator.calls[-1] == ["and on and on and on and on", "and on"]

    def test_a_caption_never_gets_an_empty_line(self) -> None:
        assert reflow("wort", [10, 10], filler="\u00a0") == ["wort", "\u00a0"]
        assert reflow("走了走了", [2, 2]) == ["走了", "走了"]

    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("a.srt", "hello\nyou\n", r"must begin with its times. Received: .*a.srt, line 1"),
            ("a.srt", "1\n00:00:01 --> 0\nyou\n", r"must look like 00.*a.srt, line 2 \('00:00:01 --> 0'\)"),
            ("a.vtt", "1\n00:01.000 --> 00:02.000\nyou\n", r"must be WEBVTT. Received: .*a.vtt, line 1"),
        ],
    )
    def test_broken_ones_are_one_sentence_with_the_line(
        self, translate: Translate, name: str, content: str, sentence: str
    ) -> None:
        with pytest.raises(documents.DocumentError, match=sentence):
            translate(name, content)

    def test_captions_without_a_blank_line_between_them(self, translate: Translate) -> None:
        times = "00:00:0{},000 --> 00:00:0{},000\n"
        text = f"1\n{times.format(1, 2)}you\n2\n{times.format(3, 4)}him\n{times.format(5, 6)}you\n"
        assert translate("a.srt", text) == text.replace("you", "Sie").replace("him", "ihm")


class TestCatalogues:
    PO = (
        '# the key\nmsgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n#: a.c:1\n#, c-format\n'
        'msgctxt "you"\nmsgid "the \\"key\\" %s\\n"\nmsgstr ""\n\nmsgid "a key"\nmsgid_plural "%d of the key"\n'
        'msgstr[0] ""\nmsgstr[1] ""\n\nmsgid "you"\nmsgstr "du"\n\nmsgid ""\n"the "\n"key"\nmsgstr ""\n\n'
        '#~ msgid "you"\n#~ msgstr ""\n'
    )

    def test_empty_translations_are_filled_and_nothing_else_changes(self, translate: Translate) -> None:
        done = translate("a.po", self.PO)
        changed = {new for old, new in zip(self.PO.split("\n"), done.split("\n"), strict=True) if old != new}
        assert changed == {
            'msgstr "der \\"Schlüssel\\" %s\\n"', 'msgstr[0] "einen Schlüssel"', 'msgstr[1] "%d of der Schlüssel"',
            'msgstr "der Schlüssel"',
        }  # fmt: skip

    @pytest.mark.parametrize("told", ["de", "de_AT", "de@informal", "", "LANGUAGE"])
    def test_a_header_may_name_the_language(self, translate: Translate, told: str) -> None:
        header = f'msgid ""\nmsgstr ""\n"Language-Team: fr\\n"\n"Language: {told}\\n"\n\n'
        assert translate("a.po", header + 'msgid "you"\nmsgstr ""\n') == header + 'msgid "you"\nmsgstr "Sie"\n'

    @pytest.mark.parametrize(
        ("header", "line", "told"),
        [
            ('msgid ""\nmsgstr ""\n"MIME-Version: 1.0\\n"\n"Language: fr_CA\\n"\n', 4, "fr"),
            ('# of us\nmsgid ""\r\nmsgstr "X-Source-Language: es\\nLanguage: de\\n"\r\n', 3, "es"),
        ],
    )
    def test_a_header_of_other_languages_is_refused(
        self, translate: Translate, header: str, line: int, told: str
    ) -> None:
        sentence = (
            r"A document must be for the languages of its translator, en to de; take another translator, or correct "
            rf"the document\. Received: .*a\.po, line {line} \({told}\)$"
        )
        with pytest.raises(documents.DocumentError, match=sentence):
            translate("a.po", header + '\nmsgid "you"\nmsgstr ""\n')

    def test_the_header_tells_the_encoding(self, tmp_path: Path) -> None:
        source = tmp_path / "a.po"
        source.write_bytes(self.PO.replace("UTF-8", "ISO-8859-1").encode("latin-1"))
        documents.translate(Words(), source, source)
        assert 'msgstr "der Schlüssel"'.encode("latin-1") in source.read_bytes()

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ('msgid "a"\nmsgstr ""\n\nmsgid "b\n', 'a comment, or a key and "text". Received: .*line 4'),
            ('msgstr "a"\n', "must come after its msgid. Received: .*line 1"),
            ('msgid "a"\nmsgstr ""\nmsgstr ""\n', "must have one msgstr. Received: .*line 3"),
        ],
    )
    def test_broken_ones_are_one_sentence_with_the_line(
        self, translate: Translate, content: str, sentence: str
    ) -> None:
        with pytest.raises(documents.DocumentError, match=sentence):
            translate("a.po", content)


class TestResources:
    def test_values_are_translated_and_keys_code_and_layout_stay(self, translate: Translate) -> None:
        text = '{ "the key": "the key",\n\t"id": "key_1", "n": [1.50, "you", null],\n'
        text += '"@the": {"d": "you"}, "e": "\\u00e9 you",\n'
        text += ' "plural": "{n, plural, one {the key} other {you}}" }\n'
        assert translate("a.json", text) == text.replace(': "the key"', ': "der Schlüssel"').replace(
            '"you", null', '"Sie", null'
        ).replace("\\u00e9 you", "\\u00e9 Sie")

    def test_each_line_of_jsonl_is_its_own(self, translate: Translate) -> None:
        assert translate("a.jsonl", '{"a": "you"}\n\n["the key"]\n') == '{"a": "Sie"}\n\n["der Schlüssel"]\n'

    @pytest.mark.parametrize(
        ("name", "content", "line"),
        [("a.json", '{\n"a": }', 2), ("a.jsonl", '"a"\n{]\n', 2), ("a.json", "[" * 10**6, 0)],
    )
    def test_broken_ones_are_one_sentence_with_the_line(
        self, translate: Translate, name: str, content: str, line: int
    ) -> None:
        with pytest.raises(documents.DocumentError, match=f"must be.*{name}" + (f", line {line}" if line else "")):
            translate(name, content)

    def test_short_sentences_are_no_code(self, translate: Translate) -> None:
        said = ["Password:", "Loading...", "Done.", "Yes/No", "Größe/Farbe", "他来了.", "Why?"]
        code = ["key_1", "http://a.b/c", "./path", "/home", "#fff", "v1.2", "a=b", "camelCase", "me@a.org", "C:\\\\x"]
        code += [
            "550e8400-e29b-41d4-a716-446655440000",
            "d41d8cd98f00b204e9800998ecf8427e",
            "a1b2c3",
            "en-US",
            "zh-Hans",
        ]
        said += ["cafe", "Q3", "COVID-19", "part-time", "decade"]
        text = "[" + ", ".join(f'"{each}"' for each in (*said, *code)) + "]"
        done = text
        for each in said:
            done = done.replace(f'"{each}"', f'"{each.upper()}"')
        assert translate("a.json", text, Upper()) == done
        begun = time.process_time()
        translate("a.json", f'"a{"A" * 5000} ok {"a." * 5000} no"', Upper())
        assert time.process_time() - begun < 5


class TestPlaceholders:
    def test_a_text_that_loses_one_is_translated_in_parts(self, tmp_path: Path) -> None:
        source, target = tmp_path / "a.json", tmp_path / "b.json"
        source.write_text('["dear {name}, you have {n} keys", "lost"]')
        report = documents.translate(Upper(), source, target)
        assert target.read_text() == '["DEAR {name}, YOU HAVE {n} KEYS", "LOST"]'
        assert report == documents.Report(texts=2, in_parts=1, flagged=1)

    @pytest.mark.parametrize(
        "text",
        [
            "{name}",
            "{{ a b }}",
            "%s",
            "%1$d",
            "%(n)s",
            "${x}",
            "$HOME",
            "<b>",
            "https://a.org/b?c=d",
            "a@b.org",
            "%n%",
            "%{name}",
            "&hellip;",
            "&#8217;",
        ],
    )
    def test_each_kind_is_known(self, text: str) -> None:
        from seq2seq.documents.work import PLACEHOLDER

        assert PLACEHOLDER.findall(f"see {text} now") == [text]


class TestEnds:
    def test_what_has_no_stop_gets_none(self) -> None:
        class Stopping(Upper):
            def _one(self, text: str) -> SimpleNamespace:
                return SimpleNamespace(source=text, text=text.upper().rstrip(".") + ".", sentences=(), flags=())

        work = Work(Stopping())  # type: ignore[arg-type]
        texts = ["My house ", "I am here.", "Louis 14", "the {n} key", "Why?"]
        assert work([(text,) for text in texts]) == [
            ("MY HOUSE ",),
            ("I AM HERE.",),
            ("LOUIS 14.",),
            ("THE {n} KEY",),
            ("WHY?.",),
        ]
        nodes = ("my ", Element("b", ("house",)))
        assert work([nodes]) == [("MY ", Element("b", ("HOUSE",)))]


class TestProjection:
    def test_markup_goes_to_the_words_that_were_read_there(self) -> None:
        attention = np.array([[0.1, 0.1, 0.8, 0], [0.1, 0.8, 0.1, 0], [0.9, 0.1, 0, 0], [0, 0, 0, 1]], np.float32)
        pieces = (["▁a", "▁red", "▁dog", "</s>"], ["▁hund", "▁roter", "▁ein", "</s>"])
        words = links("a red dog", "hund roter ein", attention, pieces)
        nodes = ("a ", Element("b", ("red",)), " ", Element("i", ("dog", Atom("!"))))
        assert project(nodes, "hund roter ein", words) == (
            Element("i", ("hund", Atom("!"))), " ", Element("b", ("roter",)), " ein"
        )  # fmt: skip

    def test_pieces_that_do_not_spell_the_text_stand_where_they_are_said_to(self) -> None:
        source, target = "I love 🍕 and old books.", "x y z"
        read = ["▁I", "▁love", "▁", "<0xF0>", "<0x9F>", "<0x8D>", "<0x95>", "▁and", "▁old", "▁books", ".", "</s>"]
        places = [
            (0, 1),
            (1, 6),
            (6, 7),
            (7, 8),
            (7, 8),
            (7, 8),
            (7, 8),
            (8, 12),
            (12, 16),
            (16, 22),
            (22, 23),
            (23, 23),
        ]
        attention = np.zeros((4, len(read)), np.float32)
        attention[[0, 1, 2, 3], [8, 9, 1, 11]] = 1
        written = ["▁x", "▁y", "▁z", "</s>"]
        found = links(source, target, attention, (read, written), places=(places, [(0, 1), (1, 3), (3, 5), (5, 5)]))
        assert [link.source for link in found] == [
            source.index(word) + len(word) / 2 for word in ("old", "books", "love")
        ]

    def test_every_element_and_atom_comes_out_once_whatever_the_attention(self) -> None:
        noise = np.random.default_rng(7)
        nodes = (
            Atom(0),
            "a ",
            Element(1, ("b ", Element(2, ("c",)), Atom(3), " d")),
            " e",
            Element(4, (" f ",)),
            Atom(5),
        )
        for _ in range(200):
            target = " ".join("xyz"[: noise.integers(1, 4)] for _ in range(noise.integers(0, 7)))
            words = [
                Link(found.start(), found.end(), tuple((float(p), 0.3) for p in noise.uniform(0, 13, 3)))
                for found in re.finditer(r"\w+", target)
            ]
            done = project(nodes, target, words)
            assert sorted(payloads(done)) == [0, 1, 2, 3, 4, 5]
            assert "".join(strings(done)).replace(" ", "") == target.replace(" ", "")

    def test_without_attention_the_place_decides(self) -> None:
        nodes = ("the ", Element("b", ("key",)))
        assert Work(Upper())([nodes]) == [("THE ", Element("b", ("KEY",)))]  # type: ignore[arg-type]

    def test_markup_around_everything_needs_no_look_inside(self) -> None:
        nodes = (Atom("x"), " ", Element("b", (Element("i", (" the key ",)),)), Atom("y"))
        done = Work(Upper())([nodes])  # type: ignore[arg-type]
        assert done == [(Atom("x"), " ", Element("b", (Element("i", (" THE KEY ",)),)), Atom("y"))]


def payloads(nodes: tuple) -> list:
    found = []
    for node in nodes:
        found += [] if isinstance(node, str) else [node.payload, *payloads(getattr(node, "children", ()))]
    return found


def strings(nodes: tuple) -> list[str]:
    return [
        each for node in nodes for each in ([node] if isinstance(node, str) else strings(getattr(node, "children", ())))
    ]


class TestPages:
    def test_tags_scripts_comments_and_code_stay(self, translate: Translate) -> None:
        page = (
            "<!DOCTYPE html>\n<html><head><title>the key</title><style>the key</style></head>\n<body CLASS='the key'>"
            "<h1>a sunset</h1>\n<p>the <B>key</B> &amp; you<br>him <!-- the key --> <code>the key</code></p>\n"
            "<pre>the key</pre><p translate=no>the key</p><script>the('key')</script>"
            "<ul><li>you<li>him</ul>\n</body></html>\n"
        )
        done = page.replace("<title>the key", "<title>der Schlüssel").replace("<li>you<li>him", "<li>Sie<li>ihm")
        done = done.replace("a sunset", "einen Sonnenuntergang").replace(
            "<p>the <B>key</B> &amp; you<br>him <", "<p>der <B>Schlüssel</B> &amp; Sie<br>ihm <"
        )
        assert translate("a.html", page) == done

    @pytest.mark.parametrize("space", ["\u3000", "\u202f", "\u2009", "\u2028"])
    def test_attributes_keep_their_spaces(self, translate: Translate, space: str) -> None:
        inside = f'<img alt="two{space}words">'
        assert translate("a.html", f"<p>the {inside} key</p>", Upper()) == f"<p>THE {inside} KEY</p>"

    @pytest.mark.parametrize("name", ["a.html", "a.txt", "a.csv", "a.md", "a.srt", "a.po", "a.jsonl"])
    def test_nothing_stays_nothing(self, translate: Translate, name: str) -> None:
        assert translate(name, "") == ""

    def test_a_paragraph_of_several_lines_keeps_them(self, translate: Translate) -> None:
        done = translate("a.html", '<p>\n   the key\n   that <a href="x y">you\n   have</a>\n</p>')
        assert done == '<p>\n   der Schlüssel\n   den <a href="x y">Sie\n   habe</a>\n</p>'

    def test_the_page_tells_its_encoding_and_what_it_lacks_is_escaped(self, tmp_path: Path) -> None:
        source = tmp_path / "a.htm"
        source.write_bytes(b'<meta charset="iso-8859-5"><p>the key')
        documents.translate(Words(), source, source)
        assert source.read_bytes() == b'<meta charset="iso-8859-5"><p>der Schl&#252;ssel'

    def test_names_of_encodings_mean_what_browsers_read(self, tmp_path: Path) -> None:
        source = tmp_path / "a.html"
        source.write_bytes(b'<meta charset="ISO-8859-1"><p>don\x92t \x80 5')
        documents.translate(Upper(), source, source)
        assert source.read_bytes() == b'<meta charset="ISO-8859-1"><p>DON\x92T \x80 5'
        source.write_bytes(b'<meta charset="ISO-8859-1"><p>a \x81 \xe9')  # of which browsers make nothing either
        documents.translate(Upper(), source, source)
        assert source.read_bytes().endswith(b" \xc9")

    @pytest.mark.parametrize("payload", PAYLOADS)
    def test_text_that_looks_like_a_script_stays_text(self, translate: Translate, payload: str) -> None:
        done = translate("a.html", f"<p>the key {html.escape(payload)}</p>")
        assert done.startswith("<p>der Schlüssel ") and done.count("<") == 2
        assert "<" not in translate("a.vtt", f"WEBVTT\n\n00:01.000 --> 00:02.000\nyou {html.escape(payload)}\n")

    def test_a_space_that_does_not_break_is_written_as_the_page_writes_it(self, translate: Translate) -> None:
        for space in ("&nbsp;", "&#160;", "\u00a0"):
            assert translate("a.html", f"<p>one{space}two</p>", Upper()) == f"<p>ONE{space}TWO</p>"

    @pytest.mark.parametrize(
        "page",
        [
            '<ul><li translate="no">acme<li>you</ul><p>you</p>',
            '<ul><li translate="no">a<ul><li>b<li>c</ul>d</ul><p>you</p>',
            '<table><tr><td translate="no">acme<td>you</table><p>you',
            '<p translate="no">acme<p>you',
            "<pre>a <b>b</b></pre>you",
            "<pre>never closed",
            "<pre>a</br>b</pre>you",
            '<div translate="no">a</p>b</div>you',
            "<code>x</i>y</code>you",
            '<ul><li translate="no"><p>acme<li>you</ul>',
            '<p translate="no">acme<article>you</article>',
        ],
    )
    def test_what_stays_ends_where_its_end_tag_is_left_out(self, translate: Translate, page: str) -> None:
        assert translate("a.html", page, Upper()) == page.replace("you", "YOU")

    def test_a_long_element_that_stays_takes_time_by_its_length(self, translate: Translate) -> None:
        page = (
            "<pre>"
            + "<i>a</i>" * 20_000
            + '</pre><div translate="no">'
            + "<p>a <b>b</b>\n" * 20_000
            + "</div><p>you</p>"
        )
        begun = time.process_time()
        assert translate("a.html", page, Upper()).endswith("<p>YOU</p>")
        assert time.process_time() - begun < 10


class TestMarkdown:
    def test_code_links_front_matter_and_marks_stay(self, translate: Translate) -> None:
        pytest.importorskip("markdown_it")
        text = (
            "---\ntitle: the key\n---\n# a sunset #\n\nthe **key** `the key`\n\n- [ ] him\n  * you\n\n"
            "> the key\n> and him\n\n"
            "```\nthe key\n```\n\n    the key\n\n"
            '| the key | x |\n|---|---|\n| you \\| him | `you` |\n\n[you](the/key "the key")\n'
            "\n<div>the key</div>\n\n[the key]: http://the/key\n\nthe key\n=======\n"
        )
        done = text
        for old, new in (
            ("# a sunset", "# einen Sonnenuntergang"), ("the **key**", "der **Schlüssel**"), ("[ ] him", "[ ] ihm"),
            ("* you", "* Sie"), ("> the key\n> and him", "> der Schlüssel\n> and ihm"), ("[you]", "[Sie]"),
            ("| the key", "| der Schlüssel"), ("| you \\| him", "| Sie \\| ihm"),
            ("the key\n===", "der Schlüssel\n==="),
        ):  # fmt: skip
            assert old in done
            done = done.replace(old, new)
        assert translate("a.md", text) == done

    @pytest.mark.parametrize(
        ("text", "done"),
        [
            ("one  \ntwo  \nthree\n", "ONE  \nTWO  \nTHREE\n"),
            ("one\\\ntwo\n", "ONE\\\nTWO\n"),
            ("1986\\. a year\n", "1986\\. A YEAR\n"),
            ("\\# no heading\n", "\\# NO HEADING\n"),
            ("## 1. A heading\n", "## 1. A HEADING\n"),
            ("see [the key] and [a lock][]\n\n[the key]: http://a\n[a lock]: http://b\n",
             "SEE [THE KEY][the key] AND [A LOCK][a lock]\n\n[the key]: http://a\n[a lock]: http://b\n"),
            ("see [no key] here\n", "SEE [NO KEY] HERE\n"),
            ("one `[the key]` $[the key]$\n\n[the key]: http://a\n", "ONE `[the key]` $[the key]$\n\n[the key]: http://a\n"),
            ("- [x] done\n\n[x]: http://a\n", "- [x] DONE\n\n[x]: http://a\n"),
            ("| [the key] |\n|---|\n\n[the key]: http://a\n", "| [THE KEY][the key] |\n|---|\n\n[the key]: http://a\n"),
            ("one\\\\\ntwo\n", "ONE\\\\\nTWO\n"),
            ("one  \n" * 1500 + "two\n", "ONE  \n" * 1500 + "TWO\n"),
        ],
    )  # fmt: skip
    def test_breaks_escapes_and_links_are_what_they_were(self, translate: Translate, text: str, done: str) -> None:
        pytest.importorskip("markdown_it")
        assert translate("a.md", text, Upper()) == done

    @pytest.mark.parametrize("start", ["- kalt", "1. Mai", "# eins", "> so", "+ zwei", "---"])
    def test_no_line_becomes_the_beginning_of_something_else(self, translate: Translate, start: str) -> None:
        markdown_it = pytest.importorskip("markdown_it")
        said = SimpleNamespace(source="", text=f"kalter Laden {start}", sentences=(), flags=())
        translator = lambda texts, **_: [said for _ in texts]  # noqa: E731
        translator.target_language = "xx"  # type: ignore[attr-defined]
        translator.source_language = "en"
        done = translate("a.md", "a cold little shop\nof ours\n", translator)
        assert markdown_it.MarkdownIt().parse(done)[0].type == "paragraph_open" and "<li" not in done
        kinds = [token.type for token in markdown_it.MarkdownIt().parse(done)]
        assert kinds == ["paragraph_open", "inline", "paragraph_close"], done


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def zipped(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return out.getvalue()


class TestArchives:
    @pytest.fixture(autouse=True)
    def _with_lxml(self) -> None:
        pytest.importorskip("lxml")

    def member(self, tmp_path: Path, suffix: str, name: str, **members: str) -> str:
        source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        source.write_bytes(zipped(**members))
        documents.translate(Words(), source, target)
        with zipfile.ZipFile(target) as archive, zipfile.ZipFile(source) as before:
            assert archive.namelist() == before.namelist()
            return archive.read(name).decode()

    def test_breaks_and_tabs_of_a_text_divide_what_is_said(self, tmp_path: Path) -> None:
        spaces = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
        form = "{}<text:tab/>{} <text:span>and</text:span> {}<text:line-break/>12<text:tab/>{}"
        content = f"<text:p {spaces}>{form}</text:p>"
        done = self.member(tmp_path, ".odt", "content.xml", content_xml=content.format("the key", "you", "him", "you"))
        assert done == content.format("der Schlüssel", "Sie", "ihm", "Sie")

    def test_code_of_xliff_stays_and_breaks_divide(self, tmp_path: Path) -> None:
        unit = (
            '<trans-unit id="1"><source>the key<x id="LINE_BREAK" ctype="lb"/>you</source>'
            "<seg-source>the key</seg-source>{}</trans-unit>"
        )
        source = '<xliff version="1.2"><file target-language="de">{}</file></xliff>\n'
        (tmp_path / "a.xlf").write_text(source.format(unit.format("")))
        documents.translate(Words(), tmp_path / "a.xlf", tmp_path / "b.xlf")
        target = '<target>der Schlüssel<x id="LINE_BREAK" ctype="lb"/>Sie</target>'
        assert (tmp_path / "b.xlf").read_text(encoding="utf-8") == source.format(unit.format(target))
        kept = source.format('<trans-unit id="1"><source>you <mrk translate="no">the key</mrk></source>{}</trans-unit>')
        (tmp_path / "c.xlf").write_text(kept.format(""))
        documents.translate(Words(), tmp_path / "c.xlf", tmp_path / "d.xlf")
        target = '<target>Sie <mrk translate="no">the key</mrk></target>'
        assert (tmp_path / "d.xlf").read_text(encoding="utf-8") == kept.format(target)

    def test_equations_and_fields_of_word_stay(self, tmp_path: Path) -> None:
        maths = "http://schemas.openxmlformats.org/officeDocument/2006/math"
        run = "<w:r><w:t>{}</w:t></w:r>"
        content = (
            f'<w:document xmlns:w="{W}" xmlns:m="{maths}"><w:body><w:p>{run.format("the key")}'
            f"<m:oMath><m:r><m:t>you</m:t></m:r></m:oMath></w:p><w:p>"
            f'<w:fldSimple w:instr=" AUTHOR ">{run.format("you")}</w:fldSimple></w:p></w:body></w:document>'
        )
        done = self.member(tmp_path, ".docx", "word/document.xml", word__document_xml=content)
        assert done == content.replace("the key", "der Schlüssel")

    def test_word_keeps_formats_links_and_marks(self, tmp_path: Path) -> None:
        head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
        run = '<w:r>{}<w:t xml:space="preserve">{}</w:t></w:r>'
        content = (
            f'<w:document xmlns:w="{W}"><w:body><w:p><w:pPr/>{run.format("", "I have ")}<w:proofErr/>'
            + run.format("", "lost the ").replace("<w:r>", '<w:r w:rsidR="1">')
            + run.format("<w:rPr><w:b/></w:rPr>", "key")
            + f"<w:bookmarkStart/><w:hyperlink>{run.format('<w:rPr><w:u/></w:rPr>', ' that')}</w:hyperlink>"
            + "<w:r><w:tab/><w:t>you</w:t></w:r></w:p><w:p><w:r><w:t>12</w:t></w:r></w:p></w:body></w:document>"
        )
        members = {"word__document_xml": head + content, "word__styles_xml": "the key"}
        done = self.member(tmp_path, ".docx", "word/document.xml", **members)
        assert done.startswith(head)
        assert re.findall("<w:t(?: [^>]*)?>([^<]*)<", done) == [
            "ich habe verloren der ",
            "Schlüssel",
            " ",
            "den",
            "Sie",
            "12",
        ]
        assert '<w:b/></w:rPr><w:t xml:space="preserve">Schlüssel</w:t>' in done
        assert re.search("<w:hyperlink><w:r><w:rPr><w:u/></w:rPr><w:t[^>]*>den<", done)
        assert done.count("<w:hyperlink>") == done.count("<w:bookmarkStart/>") == 1

    @pytest.mark.parametrize("suffix", [".docx", ".odt", ".epub"])
    def test_what_xml_cannot_hold_is_left_out_and_nothing_else(self, tmp_path: Path, suffix: str) -> None:
        class Odd(Words):
            def _words(self, text: str) -> str:
                return super()._words(text).replace("Sch", "S\x0bc\x00h\ufffe")

        name = {".docx": "word/document.xml", ".odt": "content.xml", ".epub": "a.xhtml"}[suffix]
        run = "<w:r><w:t>the </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>key</w:t></w:r>"
        content = {
            ".docx": f'<w:p xmlns:w="{W}">{run}</w:p>',
            ".odt": '<t:p xmlns:t="urn:oasis:names:tc:opendocument:xmlns:text:1.0">the <t:span>key</t:span></t:p>',
            ".epub": "<p>the <b>key</b></p>",
        }[suffix]
        source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("mimetype", "a")
            archive.writestr(name, content)
        documents.translate(Odd(), source, target)
        with zipfile.ZipFile(target) as archive:
            done = archive.read(name).decode()
        assert re.sub("<[^>]*>", "", done) == "der Schlüssel"
        assert re.findall(r"<[\w/:]+", done) == re.findall(r"<[\w/:]+", content)

    def test_a_line_break_as_excel_writes_it_is_one(self, tmp_path: Path) -> None:
        space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        strings = f'<sst xmlns="{space}"><si><t>the key_x000D_\nyou</t></si></sst>'
        done = self.member(tmp_path, ".xlsx", "xl/sharedStrings.xml", xl__sharedStrings_xml=strings)
        assert done == strings.replace("the key", "der Schlüssel").replace("you", "Sie")

    def test_a_mark_in_the_midst_of_a_sentence_of_word_does_not_cut_it(self, tmp_path: Path) -> None:
        mark = '<w:r><w:rPr><w:b/></w:rPr><w:commentReference w:id="0"/></w:r>'
        run = "<w:r><w:t>I have lost the </w:t></w:r>{}<w:r><w:t>key</w:t></w:r>"
        content = f'<w:document xmlns:w="{W}"><w:p>{run.format(mark)}</w:p></w:document>'
        asked = Upper()
        (tmp_path / "a.docx").write_bytes(zipped(word__document_xml=content))
        documents.translate(asked, tmp_path / "a.docx", tmp_path / "b.docx")
        assert asked.calls == [["I have lost the key"]]
        with zipfile.ZipFile(tmp_path / "b.docx") as archive:
            done = archive.read("word/document.xml").decode()
        assert "".join(re.findall("<w:t[^>]*>([^<]*)<", done)) == "I HAVE LOST THE KEY" and done.count(mark) == 1

    def test_a_namespace_may_be_a_mere_word(self, tmp_path: Path) -> None:
        runs = '<w:r><w:rPr xmlns:q="x"><w:b/></w:rPr><w:t>key</w:t></w:r><w:r><w:t> you</w:t></w:r>'
        content = f'<w:document xmlns:w="{W}"><w:p>{runs}</w:p></w:document>'
        assert "Schlüssel" in self.member(tmp_path, ".docx", "word/document.xml", word__document_xml=content)

    def test_excel_keeps_the_heads_of_tables(self, tmp_path: Path) -> None:
        space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        strings = "<si><t>the key</t></si><si><t>you</t></si><si><r><t>a </t></r><r><t>key</t></r></si>"
        strings = f'<sst xmlns="{space}">{strings}</sst>'
        strings = strings.replace(
            "</sst>", "<si><t>the\nkey</t></si><si><r><t>the </t></r><r><t>one</t></r></si></sst>"
        )
        names = "".join(f'<tableColumn name="{name}"/>' for name in ("you", "the_x000a_key", "the one"))
        table = f'<table xmlns="{space}"><tableColumns>{names}</tableColumns></table>'
        done = self.member(
            tmp_path, ".xlsx", "xl/sharedStrings.xml", xl__sharedStrings_xml=strings, xl__tables__table1_xml=table
        )
        assert re.findall("<t[^>]*>([^<]*)<", done) == [
            "der Schlüssel", "you", "einen Schlüssel", "the\nkey", "the ", "one",
        ]  # fmt: skip

    def test_open_document_keeps_spans(self, tmp_path: Path) -> None:
        spaces = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
        text = f'<x {spaces}><text:p>the <text:span text:style-name="b">key</text:span><text:s/> you</text:p></x>'
        assert self.member(tmp_path, ".odt", "content.xml", content_xml=text) == (
            text.replace("the ", "der ").replace(">key", ">Schlüssel").replace("you", "Sie")
        )

    def test_epub_is_pages_in_an_archive(self, tmp_path: Path) -> None:
        source = tmp_path / "a.epub"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("mimetype", "application/epub+zip")
            archive.writestr("a/b.xhtml", "<p>the <i>key</i><br/></p>", zipfile.ZIP_DEFLATED)
        documents.translate(Words(), source, source)
        with zipfile.ZipFile(source) as archive:
            assert archive.read("a/b.xhtml").decode() == "<p>der <i>Schlüssel</i><br/></p>"
            assert [info.compress_type for info in archive.infolist()] == [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]

    def test_xliff_gets_targets_where_it_has_none(self, translate: Translate) -> None:
        unit = '<trans-unit id="{}"><source>{}</source>{}</trans-unit>'
        text = (
            '<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2" version="1.2"><file source-language="en"><body>'
            + unit.format(1, 'the <g id="1">key</g><x id="2"/>', "")
            + unit.format(2, "you", "<target>du</target>")
            + unit.format(3, "him", "<target/>")
            + unit.format('4" translate="no', "him", "")
            + "</body></file></xliff>\n"
        )
        done = text.replace("</source></t", '</source><target>der <g id="1">Schlüssel</g><x id="2"/></target></t', 1)
        done = done.replace("<target/>", "<target>ihm</target>").replace('="en"', '="en" target-language="de"')
        assert translate("a.xlf", text) == done

    @pytest.mark.parametrize(
        ("form", "told"),
        [
            ('<xliff version="1.2">\n<file source-language="es-MX" target-language="de">{}</file></xliff>', "es-MX"),
            ('<xliff version="1.2">\n<file source-language="en" target-language="fr">{}</file></xliff>', "fr"),
            ('\n<xliff version="2.0" srcLang="en" trgLang="fr"><file>{}</file></xliff>', "fr"),
        ],
    )
    def test_xliff_of_other_languages_is_refused(self, translate: Translate, form: str, told: str) -> None:
        unit = "<trans-unit><segment><source>you</source>{}</segment></trans-unit>"
        with pytest.raises(documents.DocumentError, match=rf"en to de; .*a\.xlf, line 2 \({told}\)$"):
            translate("a.xlf", form.format(unit.format("")))
        done = form.format(unit.format("<target>tu</target>"))
        assert translate("a.xlf", done).strip() == done.strip()  # where nothing is put, nothing can be wrong

    def test_entities_are_not_expanded(self, translate: Translate) -> None:
        bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/hostname">]>'
        assert "&f;" in translate("a.xlf", f"{bomb}<xliff><segment><source>you &f;</source></segment></xliff>")

    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("a.docx", b"PK no", r"must be a whole archive. Received: .*a.docx \(File is not a zip file\)"),
            ("a.docx", zipped(word__document_xml="<x/>")[5:], r"must be a whole archive. Received: "),
            ("a.docx", zipped(x_xml="<x/>"), r"must hold a document. Received: .*a.docx \(something else\)"),
            ("a.docx", zipped(word__document_xml="<x>\n<"), r"Received: .*a.docx, line 2 \(word/document.xml: "),
            ("a.xlf", b"<xliff>\n</x>", r"XML must be well formed. Received: .*a.xlf, line 2"),
        ],
    )  # fmt: skip
    def test_broken_ones_are_one_sentence(self, translate: Translate, name: str, content: bytes, sentence: str) -> None:
        with pytest.raises(documents.DocumentError, match=sentence):
            translate(name, content)

    def test_a_bomb_is_refused_whatever_it_says_about_its_size(
        self, translate: Translate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = zipped(word__document_xml=f'<w:p xmlns:w="{W}"/>' + " " * 3000, big_xml="x" * 3000)
        for name, sentence in (
            ("MAX_WHOLE", "MiB of text"),
            ("MAX_TOTAL", "members of"),
            ("MAX_MEMBERS", "at most 1 "),
        ):
            with monkeypatch.context() as patch, pytest.raises(documents.DocumentError, match=sentence):
                patch.setattr(archives, name, 1 if name == "MAX_MEMBERS" else 2000)
                translate("a.docx", content)


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "content", "settings", "sentence"),
        [
            ("a\nb", b"", {}, r"A document's name must end in one of \.txt .*Received: '.*a.nb'"),
            ("a.exe", b"", {}, r"A document's name must end in one of \.txt .*Received: .*a.exe"),
            ("a.txt", b"a\nb\xff\n", {}, r"must be in UTF-8, or its encoding must be given. .*line 2 \(byte 0xff"),
            ("a.md", b"a\nb\xff\n", {}, r"must be in UTF-8, or .*a.md, line 2"),
            ("a.txt", b"\xff\xfea", {}, r"must be in UTF-16-LE"),
            ("a.txt", b"a", {"encoding": "klingon"}, r"must be one that Python knows. Received: 'klingon'"),
            ("a.txt", b"a", {"encoding": "hex"}, r"must be one that Python knows. Received: 'hex'"),
            ("a.txt", b"a", {"encoding": "\0"}, r"must be one that Python knows. Received: '.x00'"),
            ("a.txt", b"a", {"encoding": "idna"}, r"must be one that Python knows. Received: 'idna'"),
            ("a.txt", b"key", {"encoding": "ascii"}, r"fit into the file's encoding, ascii. Received: .*a.txt \('ü'\)"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
        self, translate: Translate, tmp_path: Path, name: str, content: bytes, settings: dict, sentence: str
    ) -> None:
        with pytest.raises(documents.DocumentError, match=sentence) as error:
            translate(name, content, **settings)
        assert "\n" not in str(error.value)
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_a_file_that_is_not_there_and_an_output_that_is_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(documents.DocumentError, match=r"a readable file. Received: .*none.txt \(No such file"):
            documents.translate(Upper(), tmp_path / "none.txt", tmp_path / "x.txt")  # type: ignore[arg-type]
        (tmp_path / "a.txt").write_text("a")
        with pytest.raises(documents.DocumentError, match="The output must be a file. Received"):
            documents.translate(Upper(), tmp_path / "a.txt", tmp_path)  # type: ignore[arg-type]
        with pytest.raises(documents.DocumentError, match="folder must be writable. Received"):
            documents.translate(Upper(), tmp_path / "a.txt", tmp_path / "none" / "b.txt")  # type: ignore[arg-type]

    def test_long_lines_and_large_files_are_refused(
        self, translate: Translate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "MAX_LINE", 10)
        monkeypatch.setattr(files, "MAX_WHOLE", 10)
        with pytest.raises(documents.DocumentError, match="at most 10 characters. Received: .*line 2"):
            translate("a.txt", "a\n" + "b" * 11)
        with pytest.raises(documents.DocumentError, match="A file of this kind must have at most"):
            translate("a.po", "#" * 11)

    def test_a_missing_package_is_one_sentence_that_names_the_extra(
        self, translate: Translate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "lxml", None)
        with pytest.raises(ImportError, match=re.escape("A .xlf file needs lxml: pip install 'seq2seq[files]'")):
            translate("a.xlf", "<x/>")

    @pytest.mark.parametrize("payload", PAYLOADS)
    def test_names_of_files_are_only_names(self, translate: Translate, tmp_path: Path, payload: str) -> None:
        name = payload.replace("/", "-").replace("\0", "")[:80] + ".txt"
        assert translate(name, "the key") == "der Schlüssel"


SAMPLES = {
    ".txt": "the key\r\nyou",
    ".csv": 'the key,"a ""b"""\n1,you\n',
    ".srt": "1\n00:00:01,000 --> 00:00:02,000\n<i>the key</i>\nyou\n\n",
    ".vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n<v you>the key &amp; him\n",
    ".po": 'msgid ""\nmsgstr ""\n\n#: a\nmsgid "the key %s"\nmsgstr ""\n',
    ".json": '{"a": ["the key", {"b": "you"}]}\n',
    ".html": "<!DOCTYPE html><p>the <b>key</b> &amp; you<br>\nhim<!-- x --><script>a</script>\n",
    ".md": "# the key\n\n- **you** `x`\n\n|a|b|\n|-|-|\n|c|d|\n\n```\nx\n```\n",
    ".xlf": '<xliff version="1.2"><trans-unit><source>the <g id="1">key</g></source></trans-unit></xliff>\n',
}
JUNK = (
    "<",
    ">",
    '"',
    "&",
    "\\",
    "\n",
    "\r",
    "\0",
    "-->",
    "{",
    "]",
    "|",
    "`",
    "*",
    "<!--",
    "<![CDATA[",
    "&#xD800;",
    "\u2028",
    "%s",
    ",",
)


@pytest.mark.parametrize("suffix", SAMPLES)
def test_whatever_is_in_a_file_it_is_translated_with_all_its_lines_or_refused(tmp_path: Path, suffix: str) -> None:
    if suffix in (".xlf", ".md"):
        pytest.importorskip("lxml" if suffix == ".xlf" else "markdown_it")
    draw, source, target = random.Random(0), tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    done = 0
    for _ in range(60):
        text = SAMPLES[suffix]
        for _ in range(draw.randint(1, 5)):
            place = draw.randrange(len(text) + 1)
            text = text[:place] + draw.choice(JUNK) + text[place + draw.randint(0, 3) :]
        source.write_text(text, newline="")
        try:
            documents.translate(Words(), source, target)
        except documents.DocumentError as error:
            assert "\n" not in str(error)
        else:
            done += 1
            assert target.read_bytes().count(b"\n") == text.count("\n")
    assert done or suffix == ".xlf"
    assert {path.name for path in tmp_path.iterdir()} <= {source.name, target.name}


class TestCommand:
    @pytest.fixture(autouse=True)
    def _stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shell, "load", lambda *_: Words())

    def test_a_document_in_a_document_out(self, run, tmp_path: Path) -> None:
        (tmp_path / "a.po").write_text('msgid "you"\nmsgstr ""\n')
        code, out, said = run("translate", "model", "--file", tmp_path / "a.po", "--output", tmp_path / "b.po")
        assert (code, out) == (0, "")
        assert said == f"seq2seq: note: texts translated: 1; the document is in {tmp_path / 'b.po'}\n"
        assert json.loads((tmp_path / "b.po").read_text().split("msgstr ")[1]) == "Sie"

    def test_a_broken_one_is_code_3(self, run, tmp_path: Path) -> None:
        (tmp_path / "a.po").write_text("msgid\n")
        code, _, said = run("translate", "model", "--file", tmp_path / "a.po", "--output", tmp_path / "b.po")
        assert code == 3 and "a.po, line 1" in said and said.count("\n") == 1
        assert not (tmp_path / "b.po").exists()

    def test_a_missing_one_is_met_before_a_model_is_loaded(self, run, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(shell, "load", lambda *_: pytest.fail("it takes seconds"))
        code, _, said = run("translate", "model", "--file", tmp_path / "a.po", "--output", tmp_path / "b.po")
        sentence = f"A document must be a readable file. Received: {tmp_path / 'a.po'} (No such file or directory)"
        assert (code, said) == (3, f"seq2seq: error: {sentence}\n")

    def test_a_template_may_become_a_catalogue(self, run, tmp_path: Path) -> None:
        (tmp_path / "a.pot").write_text('msgid "you"\nmsgstr ""\n')
        assert run("translate", "model", "--file", tmp_path / "a.pot", "--output", tmp_path / "B.PO")[0] == 0

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (["--file", "a.po"], "--file needs --output"),
            (
                ["--file", "a.docx", "--output", "b.txt"],
                "--output must end in .docx, for --file is such a document. Received: b.txt",
            ),
            (["--file", "a.PO", "--output", "b"], "--output must end in .po or .pot, for --file is such a document."),
            (["--file", "a.po", "--output", "b.po", "--json"], "--json is for lines, not for documents"),
            (["--column", "1"], "--column needs --file. Received: --column alone"),
        ],
    )
    def test_flags_that_do_not_go_together_are_code_2(self, run, flags: list[str], sentence: str) -> None:
        code, _, said = run("translate", "model", *flags)
        assert code == 2 and sentence in said

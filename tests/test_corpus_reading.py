"""Reading parallel text: every format and compression gives the same pairs, and nothing but a sentence on bad input."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import sys
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq import corpus
from seq2seq.corpus import CorpusError
from seq2seq.corpus.reading import blocks

PAIRS = [
    ("Hello, world!", "Hallo, Welt!"),
    ('He said "no".', "Er sagte „nein“."),
    ("a < b & c", "a < b & c;"),
    ("emoji 👩‍👩‍👧", "עברית"),
    ("next\u0085line", "and\u2028separator"),
    ("", "nothing on the left"),
    ("last", "letzte"),
]


def zstd(data: bytes) -> bytes:
    return pytest.importorskip("zstandard").ZstdCompressor().compress(data)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}


def lines(*texts: str, end: str = "\n") -> bytes:
    return "".join(text + end for text in texts).encode()


def tsv(pairs: list[tuple[str, str]]) -> bytes:
    return lines(*("\t".join(pair) for pair in pairs))


def comma(pairs: list[tuple[str, str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(pairs)
    return out.getvalue().encode()


def jsonl(pairs: list[tuple[str, str]]) -> bytes:
    return lines(*(json.dumps({"en": source, "de": target}) for source, target in pairs))


def tmx(pairs: list[tuple[str, str]], source: str = "en", target: str = "de") -> bytes:
    units = "".join(
        f'<tu><tuv xml:lang="{source}"><seg>{escape(one)}</seg></tuv>\n'
        f' <tuv xml:lang="{target}"><seg>{escape(two)}</seg></tuv></tu>\n'
        for one, two in pairs
    )
    head = '<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><header srclang="en"/><body>\n'
    return f"{head}{units}</body></tmx>".encode()


FORMATS = {".tsv": tsv, ".csv": comma, ".jsonl": jsonl, ".tmx": tmx}


def read(*paths: Path | str) -> list[tuple[str, str]]:
    return list(corpus.read(*paths, source_language="en", target_language="de"))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


class TestTheSamePairsComeOutOf:
    @pytest.mark.parametrize("packing", PACKERS)
    @pytest.mark.parametrize("form", FORMATS)
    def test_one_file(self, tmp_path: Path, form: str, packing: str) -> None:
        path = write(tmp_path / f"c{form}{packing}", PACKERS[packing](FORMATS[form](PAIRS)))
        assert read(path) == PAIRS

    @pytest.mark.parametrize("packing", PACKERS)
    def test_two_files(self, tmp_path: Path, packing: str) -> None:
        one = write(tmp_path / f"c.en{packing}", PACKERS[packing](lines(*(pair[0] for pair in PAIRS))))
        two = write(tmp_path / "c.de", lines(*(pair[1] for pair in PAIRS)))
        assert read(one, two) == PAIRS

    @pytest.mark.parametrize("packing", PACKERS)
    def test_several_compressed_parts_in_one_file(self, tmp_path: Path, packing: str) -> None:
        pack = PACKERS[packing]
        assert read(write(tmp_path / "c.tsv", pack(tsv(PAIRS[:3])) + pack(tsv(PAIRS[3:])))) == PAIRS

    @pytest.mark.parametrize("form", [".tsv", ".jsonl", ".tmx"])  # nothing tells a stream of CSV from one of text
    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(FORMATS[form](PAIRS)))))
        assert read("-") == PAIRS

    def test_standard_input_beside_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines("a", "b"))))
        assert read("-", write(tmp_path / "c.de", lines("x", "y"))) == [("a", "x"), ("b", "y")]

    def test_a_wrong_ending(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "c.tsv.gz", tsv(PAIRS))) == PAIRS
        assert read(write(tmp_path / "c.txt", tsv(PAIRS))) == PAIRS

    def test_many_more_lines_than_fit_in_one_read(self, tmp_path: Path) -> None:
        pairs = [(f"{n} " * (n % 300), f"{n}") for n in range(9000)]
        one = write(tmp_path / "c.en", lines(*(pair[0] for pair in pairs)))
        two = write(tmp_path / "c.de", lines(*(pair[1] for pair in pairs)))
        assert read(one, two) == pairs
        assert [line for block in blocks(one, two) for line in block.lines] == list(range(1, 9001))


class TestLines:
    def test_only_a_line_feed_ends_one(self, tmp_path: Path) -> None:
        text = "a\u0085b\u2028c\x0bd\x0ce\x1cf\rg"
        assert read(write(tmp_path / "c.en", lines(text, "z")), write(tmp_path / "c.de", lines("1", "2"))) == [
            (text, "1"),
            ("z", "2"),
        ]

    def test_the_last_one_needs_no_end(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "c.en", b"a\nb"), write(tmp_path / "c.de", b"x\ny\n")) == [("a", "x"), ("b", "y")]

    def test_blank_ones_at_the_end_of_one_file_do_no_harm(self, tmp_path: Path) -> None:
        one, two = write(tmp_path / "c.en", b"a\n\nb\n" + b" \r\n" * 9_000), write(tmp_path / "c.de", b"x\n\ny\n")
        assert read(one, two) == [("a", "x"), ("", ""), ("b", "y")]
        assert read(two, one) == [("x", "a"), ("", ""), ("y", "b")]
        assert "with 9,004 and" in refused(write(one, one.read_bytes() + b"c\n"), two)

    def test_a_byte_order_mark_is_no_text(self, tmp_path: Path) -> None:
        for form in (tsv, comma, jsonl):
            path = write(tmp_path / f"c.{form.__name__.replace('comma', 'csv')}", b"\xef\xbb\xbf" + form(PAIRS))
            assert read(path)[0] == PAIRS[0]

    def test_one_of_100_kilobytes_is_read_whole(self, tmp_path: Path) -> None:
        path = write(tmp_path / "c.tsv", tsv([("x" * 100_000, "y"), ("a", "b")]))
        assert read(path) == [("x" * 100_000, "y"), ("a", "b")]


class TestColumnsAndFields:
    def test_names_in_the_first_line_are_obeyed(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "a.tsv", b"id\tde\ten\n1\tHallo\tHello\n")) == [("Hello", "Hallo")]
        assert read(write(tmp_path / "a.csv", b"Target,Source\nHallo,Hello\n")) == [("Hello", "Hallo")]

    @pytest.mark.parametrize("heads", ["de,en", "de-AT,en_GB", "DE,EN", "German,English", "Tgt,Src"])
    def test_languages_may_have_regions_and_english_names(self, tmp_path: Path, heads: str) -> None:
        assert read(write(tmp_path / "a.csv", f"{heads}\nHallo,Hello\n".encode())) == [("Hello", "Hallo")]
        row = "7\tHallo\tCC-BY\tHello\n"
        heads = "id\t{}\tlicence\t{}\n".format(*heads.split(","))
        assert read(write(tmp_path / "a.tsv", (heads + row).encode())) == [("Hello", "Hallo")]

    def test_the_very_name_comes_before_others_of_the_language(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", b"en-US\ten\tde\nColor\tColour\tFarbe\n")
        assert read(path) == [("Colour", "Farbe")]
        path = write(tmp_path / "a.tsv", b"id\tEnglish\tIndonesian\n7\tHello\tHalo\n")
        assert list(corpus.read(path, source_language="en", target_language="id")) == [("Hello", "Halo")]

    @pytest.mark.parametrize(
        ("row", "columns"),
        [
            ("7\tHello\tHallo", 3),
            ("7\tHello\t8\tHallo", 4),
            ("Hello\tHallo\tCC-BY\t", 3),
            ("id\ten\tid\ten\tde\tde", 6),
        ],
    )
    def test_more_than_two_columns_must_be_named(self, tmp_path: Path, row: str, columns: int) -> None:
        for path in (
            write(tmp_path / "a.tsv", f"{row}\n".encode() * 3),
            write(tmp_path / "a.csv", f"\n{row}\n".encode() * 3),
        ):
            assert refused(path) == (
                "A table of more than two columns must name two of them en and de in its first line; add that line. "
                f"Received: {path}:{1 + (path.suffix == '.csv')} ({columns} columns)"
            )

    def test_a_further_cell_now_and_then_is_no_column(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "a.tsv", b"One\tEins\t \nTwo\tZwei\t\nThree\tDrei\tx\n"))[2] == ("Three", "Drei")

    @pytest.mark.parametrize("heads", ["de,Englisch", "text,EN-us", "Finnish,Swedish", "German,Finnish", "fr,de"])
    def test_names_of_other_languages_are_refused(self, tmp_path: Path, heads: str) -> None:
        path = write(tmp_path / "a.csv", f"{heads}\nHallo,Hello\n".encode())
        assert refused(path) == (
            "The first line of a table must name both columns, or be a pair; write en and de there. "
            f"Received: {path}:1 ({heads.replace(',', ' and ')})"
        )

    def test_a_word_that_is_written_like_a_code_is_text(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", "Hi\tनमस्ते\n".encode())
        assert list(corpus.read(path, source_language="en", target_language="hi")) == [("Hi", "नमस्ते")]

    def test_csv_is_separated_by_what_its_lines_have_in_common(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "a.csv", b'"Hello, world";"Hallo Welt"\n')) == [("Hello, world", "Hallo Welt")]
        rows = b"Hello, world;Hallo, Welt\nHello;Hallo\nWell, hello, you;Na, hallo\n\nYes;Ja\n"
        assert read(write(tmp_path / "a.csv", rows))[0] == ("Hello, world", "Hallo, Welt")
        rows = b'source;target\n"One.\nTwo, or so.";"Eins.\nZwei, etwa."\nOne;Eins\n'
        assert read(write(tmp_path / "a.csv", rows))[0] == ("One.\nTwo, or so.", "Eins.\nZwei, etwa.")
        rows = b'"He said ""yes; no""",Ja\n"a;b",c\nd,e\n'
        assert read(write(tmp_path / "a.csv", rows))[0] == ('He said "yes; no"', "Ja")

    def test_names_of_columns_may_stand_below_a_blank_line(self, tmp_path: Path) -> None:
        found = read(write(tmp_path / "a.csv", b"\nsource,target\nHello,Hallo\n"))
        assert [pair for pair in found if any(pair)] == [("Hello", "Hallo")]

    @pytest.mark.parametrize("mark", ",;\t")
    def test_csv_is_separated_by_what_its_first_line_has(self, tmp_path: Path, mark: str) -> None:
        assert read(write(tmp_path / "a.csv", f'Hello{mark}"Hal{mark}lo"\r\n'.encode())) == [("Hello", f"Hal{mark}lo")]

    def test_a_quoted_field_may_hold_line_breaks(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", b'"one\ntwo",x\r\nthree,y\r\n')
        assert read(path) == [("one\ntwo", "x"), ("three", "y")]
        assert [line for block in blocks(path) for line in block.lines] == [1, 3]

    @pytest.mark.parametrize(
        "rows",
        [
            ['"lone,x', *["a,b"] * 3],
            ['x,"lone', *["a,b"] * 20_000],
            ['"lone,x', "a,b", '"later,y'],
            ['x,"lone', "a,b", 'y,"later', "a,b"],
            ['"lone,x', "a,b", 'a,"quoted, and well"', "a,b"],
            ['"lone', *["line"] * 50, 'end",x'],
            ['x,"lone at the end'],
        ],
    )
    def test_a_quotation_mark_without_its_partner_swallows_nothing(self, tmp_path: Path, rows: list[str]) -> None:
        path = write(tmp_path / "a.csv", lines("en,de", 'he said "no",x', *rows))
        assert refused(path) == f"A quotation mark of a CSV file must have its partner. Received: {path}:3"

    def test_a_quotation_mark_in_tsv_is_text(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "a.tsv", b'"Hello\tHallo"\n')) == [('"Hello', 'Hallo"')]

    def test_cells_of_tsv_that_a_spreadsheet_has_quoted_are_bare(self, tmp_path: Path) -> None:
        rows = ['"He said ""no""."\t"Er sagte ""nein""."', "a\tb", '"Well, yes"\tJa', '"Yes." "No."\t""x"', '""\t""""']
        expected = [('He said "no".', 'Er sagte "nein".'), ("a", "b"), ("Well, yes", "Ja")]
        expected += [('"Yes." "No."', '""x"'), ("", '"')]
        assert read(write(tmp_path / "a.tsv", lines(*rows))) == expected
        assert read(write(tmp_path / "a.tsv", lines(*rows, end="\r\n"))) == expected
        rows = ['"en"\t"de"', '"One"\t"Eins"', '"Two"\t"Zwei"']
        assert read(write(tmp_path / "a.tsv", lines(*rows))) == [("One", "Eins"), ("Two", "Zwei")]

    def test_speech_in_tsv_keeps_its_quotation_marks(self, tmp_path: Path) -> None:
        pairs = [("He goes.", "Er geht."), ('"Stop!"', '"Halt!"'), ("She goes.", "Sie geht.")]
        assert read(write(tmp_path / "a.tsv", tsv(pairs))) == pairs

    @pytest.mark.parametrize(
        "record",
        [
            {"en": "Hello", "de": "Hallo"},
            {"source": "Hello", "target": "Hallo"},
            {"tgt": "Hallo", "src": "Hello", "id": 7},
            {"translation": {"de": "Hallo", "en": "Hello"}},
            {"de-AT": "Hallo", "en-GB": "Hello"},
            {"German": "Hallo", "English": "Hello"},
            ["Hello", "Hallo"],
        ],
    )
    def test_json_fields(self, tmp_path: Path, record: object) -> None:
        assert read(write(tmp_path / "a.jsonl", json.dumps(record).encode())) == [("Hello", "Hallo")]

    def test_json_may_escape_half_a_character(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "a.jsonl", b'["\\ud83d\\ude00 \\ud83d", "x"]')) == [("😀 \ud83d", "x")]


class TestTmx:
    def test_languages_are_chosen_with_or_without_a_region(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tmx", tmx([("Hello", "Hallo")], "EN_gb", "de-AT"))
        assert read(path) == [("Hello", "Hallo")]
        assert list(corpus.read(path, source_language="de", target_language="en-GB")) == [("Hallo", "Hello")]

    def test_without_names_the_header_says_which_is_the_source(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tmx", tmx([("Hallo", "Hello")], "de", "en"))
        assert list(corpus.read(path)) == [("Hello", "Hallo")]
        assert corpus.languages_from(path) == ("en", "de")

    def test_codes_in_a_segment_are_no_text(self, tmp_path: Path) -> None:
        data = tmx([("SEGMENT", "x")]).replace(
            b"SEGMENT",
            b'<bpt i="1">&lt;b&gt;</bpt>Bold<ept i="1">&lt;/b&gt;</ept> and <hi>high</hi><ph><sub>no</sub></ph>',
        )
        assert read(write(tmp_path / "a.tmx", data)) == [("Bold and high", "x")]

    def test_a_unit_without_one_side_is_half_empty(self, tmp_path: Path) -> None:
        data = tmx([("Hello", "Hallo"), ("Bye", "X")]).replace(b'"de"><seg>X', b'"fr"><seg>X')
        assert read(write(tmp_path / "a.tmx", data)) == [("Hello", "Hallo"), ("Bye", "")]

    def test_utf_16_is_xml_too(self, tmp_path: Path) -> None:
        data = tmx(PAIRS).decode().replace('version="1.0"', 'version="1.0" encoding="UTF-16"').encode("utf-16")
        assert read(write(tmp_path / "a.tmx", data)) == PAIRS

    def test_lines_are_those_of_the_units(self, tmp_path: Path) -> None:
        assert [line for block in blocks(write(tmp_path / "a.tmx", tmx(PAIRS))) for line in block.lines][:3] == [
            4,
            6,
            8,
        ]


def refused(*paths: Path | str) -> str:
    with pytest.raises(CorpusError) as caught:
        read(*paths)
    message = str(caught.value)
    assert "\n" not in message
    assert "Received: " in message
    return message


MUST_READ = "A corpus must be a file that can be read. Received: "


class TestRefused:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert refused(tmp_path / "no.tsv") == f"{MUST_READ}{tmp_path / 'no.tsv'} (it does not exist)"

    def test_a_directory(self, tmp_path: Path) -> None:
        assert refused(tmp_path) == f"{MUST_READ}{tmp_path} (a directory)"

    def test_files_of_different_length(self, tmp_path: Path) -> None:
        one, two = write(tmp_path / "a.en", b"a\n" * 12_345), write(tmp_path / "a.de", b"x\n" * 12_344)
        assert refused(one, two) == (
            f"Two aligned files must have equally many lines. Received: {one} with 12,345 and {two} with 12,344"
        )
        assert "with 0 and" in refused(write(tmp_path / "b.en", b""), two)

    def test_a_line_that_is_not_utf_8(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", b"a\tb\n" * 99 + b"\xff\tb\n")
        assert refused(path) == f"Text must be UTF-8. Received: {path}:100"

    def test_an_8_bit_encoding(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.de", "schön\nüber\nGröße\n".encode("cp1252"))
        assert refused(path, path) == (
            f"A corpus must be text in UTF-8. Received: {path}:1 "
            "(3 of the first 3 lines are not: Windows-1252 perhaps; iconv -f WINDOWS-1252 -t UTF-8 would convert that)"
        )

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_utf_16(self, tmp_path: Path, encoding: str) -> None:
        path = write(tmp_path / "a.tsv", "Hello\tHallo\n".encode(encoding))
        assert "UTF-16" in refused(path)
        assert f"{path}:1 " in refused(path)

    @pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl", "a.en"])
    def test_lines_that_end_with_carriage_returns_alone(self, tmp_path: Path, name: str) -> None:
        path = write(tmp_path / name, b"en\tde\rHello\tHallo\r")
        assert refused(*[path] * (1 + (name == "a.en"))) == (
            "A line must end with a line feed; tr '\\r' '\\n' makes such ends of the older ones. "
            f"Received: {path}:1 (carriage returns alone)"
        )

    def test_binary_bytes(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.en", bytes(range(1, 256)) * 50)
        assert "a binary file" in refused(path, path)
        assert "zero bytes" in refused(write(path, bytes(1000)), path)

    @pytest.mark.parametrize("packing", [packing for packing in PACKERS if packing])
    def test_a_truncated_compressed_file(self, tmp_path: Path, packing: str) -> None:
        whole = PACKERS[packing](tsv([(f"{hash(str(n))}", f"{n * n}") for n in range(6_000)]))
        path = write(tmp_path / f"a.tsv{packing}", whole[: len(whole) // 2])
        message = refused(path)
        line = re.match(rf"A file must be readable to its end\. Received: {path}:(\d+) \(", message)
        assert line, message
        if packing == ".gz":
            assert 2_500 < int(line[1]) < 3_500, "half of the lines can be read"

    @pytest.mark.parametrize("packing", [packing for packing in PACKERS if packing])
    def test_a_damaged_compressed_file(self, tmp_path: Path, packing: str) -> None:
        data = bytearray(PACKERS[packing](tsv([(f"{n * 7919}", f"{n * n}") for n in range(6_000)])))
        data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
        path = write(tmp_path / f"a.tsv{packing}", bytes(data))
        try:
            read(path)
        except CorpusError as error:
            assert "Received: " in str(error)
        else:
            assert packing == ".zst"  # frames without a checksum

    @pytest.mark.parametrize(
        ("name", "data", "must"),
        [
            ("a.tsv", b"no tab here\n" * 3, "A line of a TSV file must hold a source, a tab and a target"),
            ("a.csv", b"one\ntwo\nthree\n", "A row of a CSV file must hold a source and a target"),
            (
                "a.jsonl",
                b'{"en": 1, "de": 2}\n',
                "A line of a JSONL file must be an object with two languages as fields",
            ),
            ("a.json", b'[\n{"en": "a", "de": "b"}\n]\n', "A line of a JSONL file must be an object"),
            ("a.jsonl", b"[" * 100_000, "A line of a JSONL file must be an object"),
        ],
    )
    def test_a_file_of_another_shape(self, tmp_path: Path, name: str, data: bytes, must: str) -> None:
        path = write(tmp_path / name, data)
        assert refused(path).startswith(must)
        assert refused(path).endswith(f"Received: {path}:1")

    @pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.txt"])
    @pytest.mark.parametrize("indent", [None, 1])
    def test_a_json_array(self, tmp_path: Path, name: str, indent: int | None) -> None:
        path = write(tmp_path / name, json.dumps([{"en": "a", "de": "b"}] * 3, indent=indent).encode())
        assert f"; jq -c '.[]' makes such lines of an array. Received: {path}:1" in refused(path)

    @pytest.mark.parametrize(
        ("name", "data", "what"),
        [
            ("a.xlsx", b"PK\x03\x04\x14\x00[Content_Types].xml", "a spreadsheet; saved as CSV it can be read"),
            ("a.ods", b"PK\x03\x04\x14\x00mimetype", "a spreadsheet; saved as CSV it can be read"),
            ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "a spreadsheet; saved as CSV it can be read"),
            ("a.zip", b"PK\x03\x04\x14\x00a.tsv", "an archive; unpack it first"),
            ("a.csv", b"PK\x03\x04\x14\x00a.tsv", "an archive; unpack it first"),
            ("a.tgz", gzip.compress(b"a.en".ljust(257, b"\x00") + b"ustar", mtime=0), "an archive; unpack it first"),
            ("a.en", gzip.compress(gzip.compress(b"a\tb\n", mtime=0), mtime=0), "packed; gunzip unpacks it"),
        ],
    )
    def test_what_is_no_text(self, tmp_path: Path, name: str, data: bytes, what: str) -> None:
        path = write(tmp_path / name, data)
        assert refused(path) == refused(path, path) or path.suffix == ".csv"
        assert refused(path) == f"A corpus must be text in UTF-8. Received: {path}:1 ({what})"

    def test_xliff(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.xlf", b'<?xml version="1.0"?>\n<xliff version="1.2"></xliff>')
        assert refused(path) == f"XLIFF must be exported as TMX to be a corpus. Received: {path}:1"

    def test_one_file_without_pairs(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.txt", b"one\ntwo\n")
        assert refused(path) == (
            "One file alone must be pairs, as TSV, CSV, JSONL or TMX; text needs a second file, with its translations. "
            f"Received: {path}:1"
        )

    @pytest.mark.parametrize("name", ["a.en-de.tsv", "a.CSV.gz", "a.ndjson", "a.tmx.zst"])
    def test_a_table_beside_a_second_file(self, tmp_path: Path, name: str) -> None:
        table, text = write(tmp_path / name, tsv(PAIRS)), write(tmp_path / "a.de", b"x\n" * len(PAIRS))
        must = f"A table of pairs must be given alone, without a second file. Received: {table}"
        assert refused(table, text) == refused(text, table) == must
        with pytest.raises(CorpusError, match="A table of pairs must be given alone"):
            corpus.languages_from(table, text)

    def test_standard_input_twice(self) -> None:
        assert refused("-", "-") == "Two aligned files must be two files. Received: - and -"

    def test_closed_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", None)
        assert refused("-") == "Standard input must be open to be read. Received: -"

    @pytest.mark.parametrize(
        ("data", "must"),
        [
            (b"<tmx><body><tu>", "A TMX file must be well-formed XML"),
            (tmx(PAIRS).replace(b"Hello", b"\xff"), "A TMX file must be well-formed XML"),
            (
                tmx(PAIRS).replace(b"Hello", b"&undeclared;").replace(b"<!DOCTYPE", b"<!--").replace(b'dtd">', b"-->"),
                "",
            ),
            (b"<html><body>Hello</body></html>", "A TMX file must begin with <tmx>"),
            (tmx(PAIRS, "fr", "it"), "A TMX file must hold pairs in en and de"),
        ],
    )
    def test_tmx(self, tmp_path: Path, data: bytes, must: str) -> None:
        assert refused(write(tmp_path / "a.tmx", data)).startswith(must)

    def test_tmx_with_entities_expands_none(self, tmp_path: Path) -> None:
        secret = write(tmp_path / "secret", b"PASSWORD")
        bomb = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))
        for declared in (
            f'<!ENTITY a0 "ha">{bomb}',
            f'<!ENTITY a12 SYSTEM "file://{secret}">',
            '<!ENTITY % p "x"> %p;',
        ):
            data = (
                tmx([("BOMB", "x")]).replace(b'SYSTEM "tmx14.dtd"', f"[{declared}]".encode()).replace(b"BOMB", b"&a12;")
            )
            path = write(tmp_path / "a.tmx", data)
            assert refused(path) == f"A TMX file must declare no entities. Received: {path}:2"

    def test_zstandard_without_its_library(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "a.tsv.zst", b"\x28\xb5\x2f\xfd rest")
        monkeypatch.setitem(sys.modules, "zstandard", None)
        monkeypatch.setattr(sys, "version_info", (3, 13))
        with pytest.raises(ImportError, match=r"a\.tsv\.zst needs zstandard: pip install 'seq2seq\[train\]'"):
            read(path)


class TestLanguagesFrom:
    @pytest.mark.parametrize(
        ("paths", "languages"),
        [
            (("a.en", "a.de"), ("en", "de")),
            (("x/a.tok.en.gz", "y/b.de.txt.zst"), ("en", "de")),
            (("a.pt-BR", "a.zh_Hans"), ("pt-BR", "zh_Hans")),
            (("a.en.zip", "a.de.zip"), ("en", "de")),
            (("news.en-de.tsv",), ("en", "de")),
            (("tatoeba_en-de.csv.gz",), ("en", "de")),
        ],
    )
    def test_the_names_tell(self, paths: tuple[str, ...], languages: tuple[str, str]) -> None:
        assert corpus.languages_from(*paths) == languages

    @pytest.mark.parametrize("paths", [("a.txt", "b.txt"), ("a.en", "b.en"), ("a", "b.de"), ("a.tsv",), ("-",)])
    def test_or_they_do_not(self, paths: tuple[str, ...]) -> None:
        with pytest.raises(CorpusError, match="Two different languages must be given, or be the endings of the files"):
            corpus.languages_from(*paths)


class TestContradiction:
    """Names that say other languages than those that are asked for, or the other direction."""

    @pytest.mark.parametrize(
        ("paths", "told"),
        [
            (("a.en", "a.de"), None),
            (("a.EN-us", "a.de_AT.gz"), None),
            (("a.txt", "b.txt"), None),
            (("a.de", "a.en"), ("de", "en")),
            (("news.de-en.tsv",), ("de", "en")),
            (("a.en", "a.fr"), ("en", "fr")),
            (("news.de-en.jsonl.gz",), None),
            (("news.fr-en.jsonl",), ("fr", "en")),
        ],
    )
    def test_names_and_languages(self, paths: tuple[str, ...], told: tuple[str, str] | None) -> None:
        assert corpus.contradiction(("en", "de"), *paths) == told

    def test_a_table_with_heads_says_itself_which_is_which(self, tmp_path: Path) -> None:
        path = tmp_path / "news.de-en.csv"
        path.write_text('\ufeff"en";"de"\r\na;b\r\n', encoding="utf-8")
        assert corpus.contradiction(("en", "de"), path) is None
        path.write_text("id;de-AT;English\n1;a;b\n", encoding="utf-8")
        assert corpus.contradiction(("en", "de"), path) is None
        path.write_text("en;de sind zwei\r\na;b\r\n", encoding="utf-8")
        assert corpus.contradiction(("en", "de"), path) == ("de", "en")

    def test_a_tmx_says_itself_which_is_which(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tmx"
        unit = '<tu><tuv xml:lang="de"><seg>a</seg></tuv><tuv xml:lang="en"><seg>b</seg></tuv></tu>'
        path.write_text(f'<tmx version="1.4"><header srclang="de"/><body>{unit}</body></tmx>')
        assert corpus.contradiction(("en", "de"), path) is None
        assert corpus.contradiction(("en", "fr"), path) == ("de", "en")


SCRAPS = [*b'a \t \n " , ; \r \x00 \xff \xed\xa0\x80 \xe2\x80\xa8 { } [ ] : \xef\xbb\xbf 1e999'.split(b" ")]
SCRAPS += rb'"en" "de" \ud800 <tmx> <tu> <seg> </seg> </tuv> </tu> </tmx> &amp; &x; <!--'.split()
SCRAPS += [b'<tuv xml:lang="en">', b'<tuv xml:lang="de">']


@pytest.mark.parametrize("ending", [".en", *FORMATS, ".txt", ".gz"])
@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(SCRAPS),
            max_size=40,
        ).map(b"".join),
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_pairs_or_one_sentence(tmp_path: Path, ending: str, data: bytes) -> None:
    path = write(tmp_path / f"fuzz{ending}", data)
    paths = [path, write(tmp_path / "fuzz.de", b"x\n" * (data.count(b"\n") + bool(data[-1:] != b"\n" and data)))]
    try:
        found = read(*paths[: 2 if ending == ".en" else 1])
    except CorpusError as error:
        assert "Received: " in str(error)
        assert "\n" not in str(error)
    else:
        assert all(isinstance(side, str) for pair in found for side in pair)

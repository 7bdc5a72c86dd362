"""Documents of any bytes: a whole document comes out or one sentence of ours, and nothing half-written."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import web_standin
from hypothesis import given
from hypothesis import strategies as st
from robust import damaged, is_sentence, shared

from seq2seq import documents

pytest.importorskip("lxml")
pytest.importorskip("markdown_it")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

TEXTS = {
    ".txt": "the key\r\nyou\n  him\n",
    ".tsv": 'the key\tyou\n"a\tb\n',
    ".csv": 'the key,"a ""b"""\n1,"y\nou"\n',
    ".srt": "1\n00:00:01,000 --> 00:00:02,000\n<i>the key</i>\nyou\n\n2\n00:00:03,000 --> 00:00:04,000\n- him\n",
    ".vtt": "WEBVTT\n\nSTYLE\n::cue {}\n\n00:01.000 --> 00:02.000 align:left\n<v you>the key &amp; <00:01.500>him\n",
    ".po": '#, c-format\nmsgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgctxt "x"\n'
    'msgid "the key %s"\nmsgid_plural "keys"\nmsgstr[0] ""\nmsgstr[1] ""\n#~ msgid "old"\n',
    ".json": '{"a": ["the key", {"b": "you {x}"}], "c": "a/b", "d": 1e5}\n',
    ".arb": '{"@@locale": "en", "key": "the key {n}", "@key": {"description": "you"}}\n',
    ".jsonl": '{"a": "the key"}\n["you"]\n"him"\n',
    ".html": '<!DOCTYPE html><meta charset="utf-8"><p>the <b>key</b> &amp; you<br>\nhim<!-- x --><script>a</script>'
    '<p translate="no">a<pre>the key</pre><img alt="x">\n',
    ".md": "---\na: b\n---\n# the key\n\n- **you** `x`\n\n|a|b|\n|-|-|\n|c|d|\n\n```\nx\n```\n> [him](x \"y\")\n",
    ".xlf": '<xliff version="1.2"><file source-language="en" target-language="de"><body><trans-unit id="1"><source>the '
    '<g id="1">key</g><x id="2"/></source><target/></trans-unit></body></file></xliff>\n',
}  # fmt: skip
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
RUN = '<w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">{}</w:t></w:r>'
OPEN = (
    f'<office:document-content xmlns:office="{OFFICE}" xmlns:text="{TEXT}"><office:body><office:text>'
    '<text:p>the <text:span>key</text:span><text:s text:c="2"/>you<text:note><text:p>him</text:p></text:note></text:p>'
    "</office:text></office:body></office:document-content>"
)
ARCHIVES = {
    ".docx": {
        "word/document.xml": f'<?xml version="1.0"?><w:document xmlns:w="{WORD}"><w:body><w:p>{RUN.format("the ")}'
        f"{RUN.format('key')}<w:hyperlink>{RUN.format('you')}</w:hyperlink><w:r><w:tab/></w:r></w:p><w:tbl><w:tr><w:tc>"
        f"<w:p>{RUN.format('him')}</w:p></w:tc></w:tr></w:tbl></w:body></w:document>",
        "word/styles.xml": "<a/>",
    },
    ".pptx": {
        "ppt/slides/slide1.xml": f'<p:sld xmlns:p="x" xmlns:a="{DRAWING}"><a:p><a:r><a:rPr b="1"/><a:t>the key</a:t>'
        "</a:r><a:br/><a:fld><a:t>1</a:t></a:fld></a:p></p:sld>"
    },
    ".xlsx": {
        "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}"><si><t>the key</t></si><si><r><t>a </t></r><r><t>you</t></r>'
        "</si></sst>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><c t="inlineStr"><is><t>him</t></is></c></worksheet>',
        "xl/tables/table1.xml": f'<table xmlns="{SHEET}"><tableColumn name="the key"/></table>',
    },
    ".odt": {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": OPEN, "styles.xml": OPEN},
    ".ods": {"content.xml": OPEN},
    ".odp": {"content.xml": OPEN},
    ".epub": {"mimetype": "application/epub+zip", "a.xhtml": TEXTS[".html"]},
}  # fmt: skip


class Words(web_standin.Translator):
    """The stand-in, which reads each word where it writes it."""

    def explain(self, text, *, target):
        source, target = (["▁" + word for word in each.split()] for each in (text, target))
        trace = {"source": source, "target": target, "attention": np.eye(len(target), len(source)).tolist()}
        return SimpleNamespace(to_json=lambda: json.dumps(trace))


def zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return out.getvalue()


def encoded(suffix: str) -> list[bytes]:
    kinds = ["utf-8", "utf-8-sig", *(["utf-16"] if suffix in (".txt", ".csv", ".srt", ".json", ".xlf") else [])]
    return [TEXTS[suffix].encode(kind) for kind in kinds]


@st.composite
def repacked(draw: st.DrawFn, suffix: str) -> bytes:
    """An archive that is whole, with a damaged member in it."""
    members = {name: content.encode() for name, content in ARCHIVES[suffix].items()}
    name = draw(st.sampled_from(sorted(members)))
    members[name] = draw(damaged([members[name]]))
    if draw(st.booleans()):
        other = draw(st.sampled_from(["../../x", "/etc/x", "word/document2.xml", "a\\b", "xl/tables/table2.xml", "é"]))
        members[other] = draw(st.sampled_from([b"", members[name], b"<a/>"]))
    return zipped(members, draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])))


def fuzz(folder: Path, suffix: str, contents: st.SearchStrategy[bytes]) -> None:
    """Translates them; what may come of it is a document or a sentence, and beside the two files nothing."""
    source, target = folder / f"a{suffix}", folder / f"b{suffix}"

    @given(contents)
    @shared(len(TEXTS) + len(ARCHIVES))
    def translate(content: bytes) -> None:
        source.write_bytes(content)
        target.unlink(missing_ok=True)
        try:
            documents.translate(Words(), source, target)  # type: ignore[arg-type]
        except documents.DocumentError as error:
            assert is_sentence(error)
            assert {path.name for path in folder.iterdir()} == {source.name}
        else:
            assert {path.name for path in folder.iterdir()} == {source.name, target.name}

    translate()


@pytest.mark.parametrize("suffix", TEXTS)
def test_any_text_file_is_translated_or_refused(tmp_path: Path, suffix: str) -> None:
    fuzz(tmp_path, suffix, damaged(encoded(suffix), [b"\0\n\0", b"\r\n\r\n", b"-->", b"msgstr", b"```", b"\\u"]))


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_any_archive_is_translated_or_refused(tmp_path: Path, suffix: str) -> None:
    whole = [zipped({name: content.encode() for name, content in ARCHIVES[suffix].items()}, kind) for kind in (0, 8)]
    fuzz(tmp_path, suffix, damaged(whole, [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"\0" * 8, b"\xff" * 4]) | repacked(suffix))

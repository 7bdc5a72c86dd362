"""A model folder is whole or absent, and any change to it is noticed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sealing import change

from seq2seq import bundle
from seq2seq.bundle import BundleError, SaveError
from seq2seq.bundle.manifest import parse
from seq2seq.config import Config, build

CONFIG = build({"source_language": "en", "target_language": "de", "tokenizer": {"symbols": ["<x>", "é"]}})
FILES = {"tokenizer.model": b"pieces\x00\xff" * 5, "model.tflite": b"graph" * 9, "README.md": "Grüße\n".encode()}
PROVENANCE = {"corpus": "tiny ❄", "pairs": 3}
SCORES = [{"test_set": "tiny", "bleu": 12.5, "signature": "nrefs:1"}]


def write(path: Path, files: dict[str, bytes | Path] | None = None) -> bundle.Bundle:
    chosen = FILES if files is None else files
    return bundle.write(path, config=CONFIG, files=chosen, provenance=PROVENANCE, scores=SCORES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "model")
    return tmp_path / "model"


def changed(content: bytes, position: int) -> bytes:
    """One byte changed: the case of a letter, or anything."""
    choose = random.Random(position)
    altered = bytearray(content)
    altered[position] ^= choose.choice([0x20, choose.randrange(1, 256)])
    return bytes(altered)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestRoundTrip:
    def test_what_is_written_is_read(self, folder: Path) -> None:
        loaded = bundle.load(folder)
        assert loaded.config == CONFIG
        assert (loaded.source_language, loaded.target_language) == ("en", "de")
        assert loaded.provenance == PROVENANCE
        assert loaded.scores == SCORES
        assert {name: loaded.read(name) for name in loaded.files} == FILES
        assert {name: loaded.file(name).read_bytes() for name in loaded.files} == FILES
        assert "model.tflite" in loaded
        assert "weights.safetensors" not in loaded

    def test_a_run_folder_stands_for_the_model_in_it(self, folder: Path) -> None:
        (folder.parent / "checkpoints").mkdir()
        assert bundle.load(folder.parent).path == folder

    def test_a_file_is_copied_from_its_path(self, tmp_path: Path) -> None:
        content = random.Random(1).randbytes(3_000_000)
        (tmp_path / "big").write_bytes(content)
        written = write(tmp_path / "new" / "model", {"weights.safetensors": tmp_path / "big"})
        assert written.read("weights.safetensors") == content
        assert (tmp_path / "big").exists()

    def test_the_manifest_is_json_with_plain_checksums(self, folder: Path) -> None:
        content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        assert content["format"] == bundle.FORMAT
        assert content["config"]["source_language"] == "en"
        expected = {"size": len(FILES["README.md"]), "sha256": hashlib.sha256(FILES["README.md"]).hexdigest()}
        assert content["files"]["README.md"] == expected

    def test_files_that_the_manifest_does_not_name_are_left_alone(self, folder: Path) -> None:
        (folder / ".DS_Store").write_bytes(b"x")
        assert set(bundle.load(folder).files) == set(FILES)

    def test_the_editing_helper_of_these_tests_seals_as_the_package_does(self, folder: Path) -> None:
        before = (folder / "manifest.json").read_bytes()
        change(folder, lambda content: None)
        assert (folder / "manifest.json").read_bytes() == before


class TestAlteredFolders:
    @pytest.mark.parametrize("name", ["manifest.json", *FILES])
    def test_any_changed_byte_is_noticed(self, folder: Path, name: str) -> None:
        place = folder / name
        content = place.read_bytes()
        for position in range(0, len(content), 7 if name == "manifest.json" else 1):
            place.write_bytes(changed(content, position))
            with pytest.raises(BundleError):
                bundle.load(folder)
        place.write_bytes(content)
        bundle.load(folder)

    def test_any_changed_byte_of_a_manifest_is_noticed(self, folder: Path) -> None:
        content = (folder / "manifest.json").read_bytes()
        for position in range(len(content)):
            with pytest.raises(BundleError):
                parse(changed(content, position), "here")
        parse(content, "here")

    @pytest.mark.parametrize("name", ["manifest.json", *FILES])
    def test_any_shorter_or_longer_file_is_noticed(self, folder: Path, name: str) -> None:
        place = folder / name
        content = place.read_bytes()
        for altered in (b"", content[:-1], content[: len(content) // 2], content + b"\n"):
            place.write_bytes(altered)
            with pytest.raises(BundleError):
                bundle.load(folder, verify=False)

    def test_without_verify_a_digest_is_checked_when_its_file_is_opened(self, folder: Path) -> None:
        (folder / "model.tflite").write_bytes(b"GRAPH" + FILES["model.tflite"][5:])
        loaded = bundle.load(folder, verify=False)
        assert loaded.read("tokenizer.model") == FILES["tokenizer.model"]
        message = r"^A file of a model folder must have its checksum\. Received: .*model\.tflite, which was altered$"
        for opening in (loaded.read, loaded.file):
            with pytest.raises(BundleError, match=message):
                opening("model.tflite")
        with pytest.raises(BundleError, match=message):
            loaded.verify()

    def test_a_file_is_hashed_once(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        loaded = bundle.load(folder)
        monkeypatch.setattr("hashlib.file_digest", None)
        assert loaded.file("model.tflite").exists()


class TestMessages:
    def refused(self, path: Path | str, pattern: str) -> None:
        with pytest.raises(BundleError) as caught:
            bundle.load(path)
        message = str(caught.value)
        assert re.search(pattern, message), message
        assert "Received: " in message
        assert "\n" not in message

    def test_missing_folder(self, tmp_path: Path) -> None:
        self.refused(
            tmp_path / "none", r"^A model must be an existing folder\. Received: .*none, which does not exist$"
        )
        self.refused("a\0b", r"^A model must be an existing folder")

    def test_file_instead_of_a_folder(self, folder: Path) -> None:
        self.refused(
            folder / "model.tflite", r"^A model must be a folder\. Received: .*model\.tflite, which is a file$"
        )

    def test_folder_without_a_manifest(self, tmp_path: Path) -> None:
        self.refused(tmp_path, r"^A model folder must hold manifest\.json\. Received: ")

    def test_missing_file(self, folder: Path) -> None:
        (folder / "tokenizer.model").unlink()
        self.refused(folder, r"must hold all its files\. Received: .*tokenizer\.model, which is missing$")

    @pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such permissions here")
    @pytest.mark.parametrize("closed", [".", "model", "model/model.tflite"])
    def test_what_may_not_be_read_is_not_called_missing(self, folder: Path, closed: str) -> None:
        code = (
            "import os, sys; from seq2seq import bundle\n"
            "if os.geteuid() == 0: os.seteuid(65534)\n"
            "try: bundle.load(sys.argv[1])\n"
            "except bundle.BundleError as error: print(error)\n"
        )
        for outer in (*folder.parents[:3], folder):
            outer.chmod(0o755)
        (folder.parent / closed).chmod(0)
        try:
            arguments = [sys.executable, "-c", code, str(folder)]
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
        finally:
            (folder.parent / closed).chmod(0o755)
        message = r"The files of a model folder must be readable\. Received: .*model.* \(Permission denied\)\n"
        assert re.fullmatch(message, done.stdout), done.stdout

    def test_file_that_was_never_there(self, folder: Path) -> None:
        with pytest.raises(BundleError, match=r"^A model folder must hold weights\.safetensors for this\. Received: "):
            bundle.load(folder).read("weights.safetensors")

    def test_wrong_size(self, folder: Path) -> None:
        (folder / "model.tflite").write_bytes(b"x")
        self.refused(folder, r"must have its size, 45 bytes\. Received: .*model\.tflite, 1 bytes$")

    def test_manifest_is_not_json(self, folder: Path) -> None:
        for content in (b"", b"\xff\xfe", b"hello", b"[1]", b'{"format": "1"}', b"[" * 100_000):
            (folder / "manifest.json").write_bytes(content)
            self.refused(
                folder, r"^A manifest must be a JSON object with a format number\. Received: .*manifest\.json$"
            )

    def test_manifest_edited_by_hand(self, folder: Path) -> None:
        place = folder / "manifest.json"
        place.write_bytes(place.read_bytes().replace(b'"en"', b'"fr"'))
        self.refused(folder, r"^A manifest must have the checksum that it begins with\. Received: .*which was altered$")

    def test_newer_format(self, folder: Path) -> None:
        change(folder, lambda content: content.update(format=7))
        self.refused(folder, r"format 1 or older; upgrade seq2seq to read a newer one\. Received: .*, format 7$")

    def test_newer_format_that_may_be_damage(self, folder: Path) -> None:
        place = folder / "manifest.json"
        place.write_bytes(place.read_bytes().replace(b'"format": 1', b'"format": 7'))
        self.refused(folder, r"upgrade seq2seq .* format 7; its checksum is wrong too, so it may be damaged instead$")

    def test_sealed_manifest_that_lacks_something(self, folder: Path) -> None:
        change(folder, lambda content: content.pop("files"))
        self.refused(folder, r"^A manifest must hold all that format 1 has\. Received: .*files")

    @pytest.mark.parametrize(
        "name", ["../secret", "/etc/passwd", "a/b", "a\\b", "C:x", "..", ".hidden", "", "a\0", "manifest.json"]
    )
    def test_names_that_lead_elsewhere(self, folder: Path, name: str) -> None:
        change(folder, lambda content: content["files"].update({name: {"size": 1, "sha256": "0" * 64}}))
        self.refused(folder, r"^A manifest must name files beside it\. Received: .*, which names ")

    def test_sealed_manifest_that_is_not_text(self, folder: Path) -> None:
        change(folder, lambda content: content["provenance"].update(notes="?????"))
        place = folder / "manifest.json"
        raw = place.read_bytes().replace(b"?????", b"\xff" * 5)
        blank = raw[:15] + b"0" * 64 + raw[79:]
        place.write_bytes(raw[:15] + hashlib.sha256(blank).hexdigest().encode() + raw[79:])
        self.refused(folder, r"^A manifest must hold all that format 1 has\. Received: .*utf-8")

    def test_configuration_that_is_not_valid(self, folder: Path) -> None:
        change(folder, lambda content: content["config"]["model"].update(units=7))
        self.refused(folder, r"^A model folder must hold a valid configuration\. Received: .*model\.units")

    @pytest.mark.parametrize("name", ["model.tflite", "manifest.json"])
    def test_links(self, folder: Path, name: str) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(folder.parent / "elsewhere")
        self.refused(folder, r"must be plain files, not links\. Received: ")

    def test_folder_in_the_place_of_a_file(self, folder: Path) -> None:
        (folder / "model.tflite").unlink()
        (folder / "model.tflite").mkdir()
        self.refused(folder, r"must be plain files, not links\. Received: .*model\.tflite$")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_a_pipe_does_not_hang(self, folder: Path) -> None:
        (folder / "manifest.json").unlink()
        os.mkfifo(folder / "manifest.json")
        self.refused(folder, r"must be plain files, not links\. Received: ")


class TestWriting:
    def test_an_older_model_is_replaced_whole(self, folder: Path) -> None:
        write(folder, {"model.tflite": b"newer"})
        assert names(folder) == ["manifest.json", "model.tflite"]
        assert bundle.load(folder).read("model.tflite") == b"newer"
        assert names(folder.parent) == ["model"]

    def test_an_empty_folder_is_filled(self, tmp_path: Path) -> None:
        (tmp_path / "model").mkdir()
        assert write(tmp_path / "model").read("model.tflite") == FILES["model.tflite"]

    def test_a_folder_of_something_else_is_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        for path in (tmp_path, tmp_path / "thesis.txt"):
            with pytest.raises(
                SaveError, match=r"^A model must be written to a new folder or over an older model\. Received: "
            ):
                write(path)
        assert names(tmp_path) == ["thesis.txt"]

    @pytest.mark.parametrize(
        "manifest", [b'{"name": "shop", "start_url": "/"}', b'{"format": 1, "files": ["src"]}', b"\xff", b""]
    )
    def test_a_manifest_of_something_else_is_no_model(self, tmp_path: Path, manifest: bytes) -> None:
        (tmp_path / "manifest.json").write_bytes(manifest)
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(SaveError, match=r"^A model must be written to a new folder or over an older model\. "):
            write(tmp_path)
        assert names(tmp_path) == ["manifest.json", "thesis.txt"]

    @pytest.mark.parametrize("links", [True, False])
    def test_what_lies_beside_the_files_of_an_older_model_is_kept(
        self, folder: Path, links: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / ".git" / "objects").mkdir(parents=True)
        (folder / ".git" / "objects" / "4b").write_bytes(b"history")
        (folder / "notes.md").write_text("mine")
        (folder / "paper").symlink_to("/nowhere")

        def refused(*_: object, **__: object) -> None:
            raise OSError(95, "Operation not supported")

        if not links:
            monkeypatch.setattr(os, "link", refused)
        write(folder, {"model.tflite": b"newer"})
        assert names(folder) == [".git", "manifest.json", "model.tflite", "notes.md", "paper"]
        assert (folder / ".git" / "objects" / "4b").read_bytes() == b"history"
        assert (folder / "notes.md").read_text() == "mine"
        assert os.readlink(folder / "paper") == "/nowhere"
        assert names(folder.parent) == ["model"]

    def test_a_file_that_is_none_of_the_older_models_is_not_overwritten(self, folder: Path) -> None:
        (folder / "certificate.json").write_text("mine")
        with pytest.raises(SaveError, match=r"; move it away\. Received: .*certificate\.json$"):
            write(folder, {"model.tflite": b"newer", "certificate.json": b"newer"})
        assert (folder / "certificate.json").read_text() == "mine"
        assert bundle.load(folder).read("model.tflite") == FILES["model.tflite"]

    def test_an_older_model_that_cannot_be_loaded_is_replaced(self, folder: Path) -> None:
        change(folder, lambda content: content.update(format=7, config={}))
        write(folder, {"model.tflite": b"newer"})
        assert names(folder) == ["manifest.json", "model.tflite"]

    def test_through_a_link_the_folder_it_leads_to_is_replaced(self, folder: Path) -> None:
        link = folder.parent / "latest"
        link.symlink_to(folder)
        write(link, {"model.tflite": b"newer"})
        assert link.is_symlink()
        assert bundle.load(folder).read("model.tflite") == b"newer"

    @pytest.mark.parametrize("failing", ["fsync", "rename"])
    def test_a_failure_leaves_the_older_model_and_nothing_else(
        self, folder: Path, failing: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, calls = getattr(os, failing), []

        def full(*arguments: object) -> object:
            calls.append(arguments)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            return real(*arguments)

        monkeypatch.setattr(os, failing, full)
        with pytest.raises(
            SaveError, match=r"^A model folder must be writable whole\. Received: .* \(No space left on device\)$"
        ):
            write(folder, {"model.tflite": b"newer", "README.md": b"newer"})
        monkeypatch.undo()
        assert names(folder.parent) == ["model"]
        assert {name: bundle.load(folder).read(name) for name in FILES} == FILES

    def test_an_interruption_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "model")
        assert not names(tmp_path)

    @pytest.mark.skipif(sys.platform == "win32", reason="no limits on file size")
    def test_a_disk_that_fills_up_leaves_nothing(self, tmp_path: Path) -> None:
        code = (
            "import resource, signal, sys; from seq2seq import bundle, config\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
            "files = {'tokenizer.model': b'x' * 50_000, 'model.tflite': b'x' * 200_000}\n"
            "try: bundle.write(sys.argv[1], config=config.Config(), files=files, provenance={}, scores=[])\n"
            "except bundle.SaveError as error: print(error)\n"
        )
        arguments = [sys.executable, "-c", code, str(tmp_path / "run" / "model")]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.startswith("A model folder must be writable whole. Received: ")
        assert not names(tmp_path / "run")

    def test_a_missing_source_file(self, tmp_path: Path) -> None:
        with pytest.raises(SaveError, match="No such file"):
            write(tmp_path / "model", {"model.tflite": tmp_path / "none"})
        assert not names(tmp_path)

    def test_names_must_be_plain(self, tmp_path: Path) -> None:
        for name in ("../x", "manifest.json", "a/b"):
            with pytest.raises(SaveError, match=r"^A file of a model folder must have a plain name\. Received: "):
                write(tmp_path / "model", {name: b""})
        assert not names(tmp_path)

    @pytest.mark.parametrize("value", [float("nan"), {1, 2}])
    def test_provenance_must_be_json(self, tmp_path: Path, value: object) -> None:
        with pytest.raises(SaveError, match=r"^Provenance and scores must be plain JSON\. Received: "):
            bundle.write(tmp_path / "model", config=Config(), files={}, provenance={"x": value}, scores=[])
        assert not names(tmp_path)

"""Models pushed to a hub and pulled from it: whole, proven, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

pytest.importorskip("huggingface_hub")

from hub_standin import Hub
from huggingface_hub import constants

from seq2seq import bundle, hub
from seq2seq.bundle import BundleError
from seq2seq.config import Config
from seq2seq.hub import HubError

NAMES = {"README.md", "model.tflite", "tokenizer.model"}


@pytest.fixture
def remote(monkeypatch, tmp_path):
    remote = Hub()
    thread = threading.Thread(target=remote.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", remote.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", remote.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    yield remote
    remote.server.shutdown()
    remote.server.server_close()
    thread.join()


@pytest.fixture
def model(tmp_path) -> bundle.Bundle:
    return write(tmp_path / "run" / "model")


def write(path, graph: bytes = b"graph") -> bundle.Bundle:
    files = {"README.md": b"---\nlicense: other\n---\n# A card\n", "model.tflite": graph, "tokenizer.model": b"pieces"}
    config = Config(source_language="en", target_language="de")
    return bundle.write(path, config=config, files=files, provenance={}, scores=[])


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_pushed_comes_back(remote, model, tmp_path, recwarn):
    (model.path / "notes.txt").write_text("mine")
    pushed = hub.push(tmp_path / "run", "me/en-de")
    revision, files = remote.repositories["me/en-de"][-1]
    assert pushed == hub.Pushed(revision, f"{remote.address}/me/en-de")
    assert set(files) == {*NAMES, "manifest.json"}
    assert not [warning for warning in recwarn if "license" in str(warning.message)]
    pulled = hub.pull("me/en-de", tmp_path / "back")
    assert pulled == hub.Pulled(tmp_path / "back", revision)
    assert contents(tmp_path / "back") == files
    assert not any(path.is_symlink() for path in (tmp_path / "back").iterdir())
    assert bundle.load(tmp_path / "back").digest == model.digest
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    assert any("seq2seq/" in agent for agent in remote.agents)


def test_a_repository_is_made_once_and_hidden_if_asked(remote, model):
    hub.push(model.path, "me/en-de", private=True)
    hub.push(model.path, "me/en-de")
    assert "private" in (remote.created[0].get("visibility"), *remote.created[0])
    assert len(remote.repositories["me/en-de"]) == 2


def test_a_revision_brings_the_older_model(remote, model, tmp_path):
    first = hub.push(model.path, "me/en-de").revision
    hub.push(write(tmp_path / "newer", b"newer graph").path, "me/en-de")
    hub.pull("me/en-de", tmp_path / "old", revision=first)
    hub.pull("me/en-de", tmp_path / "new")
    assert (tmp_path / "old" / "model.tflite").read_bytes() == b"graph"
    assert (tmp_path / "new" / "model.tflite").read_bytes() == b"newer graph"
    assert [path for _, path in remote.asked if "/resolve/main/" in path] == []


def test_a_file_that_came_altered_leaves_nothing(remote, model, tmp_path):
    hub.push(model.path, "me/en-de")
    remote.serves = lambda name, content: b"GRAPH" if name == "model.tflite" else content
    with pytest.raises(
        BundleError, match=r"must have its checksum. Received: me/en-de/model.tflite, which was altered"
    ):
        hub.pull("me/en-de", tmp_path / "back")
    assert {path.name for path in tmp_path.iterdir()} <= {"run", "cache"}


def test_a_file_of_another_size_is_not_loaded(remote, model, tmp_path):
    hub.push(model.path, "me/en-de")
    remote.repositories["me/en-de"][-1][1]["model.tflite"] = b"x" * 9999
    with pytest.raises(BundleError, match=r"must have its size, 5 bytes. Received: me/en-de/model.tflite, 9,999 bytes"):
        hub.pull("me/en-de", tmp_path / "back")
    del remote.repositories["me/en-de"][-1][1]["model.tflite"]
    with pytest.raises(BundleError, match=r"Received: me/en-de/model.tflite, none"):
        hub.pull("me/en-de", tmp_path / "back")
    assert not [path for method, path in remote.asked if method == "GET" and path.endswith("model.tflite")]


def test_a_manifest_that_names_other_places_is_refused(remote, model, tmp_path):
    hub.push(model.path, "me/en-de")
    files = remote.repositories["me/en-de"][-1][1]
    files["manifest.json"] = files["manifest.json"].replace(b'"model.tflite"', b'"../l.tflite"')
    with pytest.raises(BundleError, match=r"Received: me/en-de/manifest.json, which was altered"):
        hub.pull("me/en-de", tmp_path / "back")


def test_a_repository_without_a_model_is_refused(remote, tmp_path):
    remote.repositories["me/empty"] = []
    remote.commit("me/empty", {"README.md": b"nothing"})
    with pytest.raises(
        HubError, match=r"A repository must hold a model folder, with manifest.json. Received: me/empty"
    ):
        hub.pull("me/empty", tmp_path / "back")


def test_what_is_not_there_is_one_sentence(remote, model, tmp_path):
    with pytest.raises(HubError, match=r"A repository must be there for whoever is logged in .* Received: me/none"):
        hub.pull("me/none", tmp_path / "back")
    hub.push(model.path, "me/en-de")
    with pytest.raises(HubError, match=r"A revision must be a branch, a tag or a commit of me/en-de. Received: v9"):
        hub.pull("me/en-de", tmp_path / "back", revision="v9")
    for name in ("en-de", "me/en/de", "me/e n", "../x"):
        with pytest.raises(HubError, match=r"A repository must be named owner/name. Received: "):
            hub.pull(name, tmp_path / "back")


def test_a_refusal_is_told(remote, model):
    remote.refuses = "you may read only"
    with pytest.raises(HubError, match=r"The hub must accept what is asked of it. Received: .*you may read only"):
        hub.push(model.path, "me/en-de")


def test_a_folder_in_use_is_refused(remote, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(HubError, match=r"A model must be pulled to a new or empty folder, .* Received: "):
        hub.pull("me/en-de", tmp_path / "mine")
    assert remote.asked == []


@pytest.mark.parametrize("target", ["empty", "nothing"])
def test_a_link_gets_the_model_where_it_leads_to(remote, model, tmp_path, target):
    hub.push(model.path, "me/en-de")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(target)
    hub.pull("me/en-de", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert bundle.load(tmp_path / target).digest == model.digest


def test_a_damaged_model_is_not_pushed(remote, model):
    (model.path / "model.tflite").write_bytes(b"GRAPH")
    with pytest.raises(BundleError, match="which was altered"):
        hub.push(model.path, "me/en-de")
    assert remote.asked == []


def test_without_a_network_the_command_ends_with_one_sentence(model, tmp_path, monkeypatch):
    address = "http://127.0.0.1:9"  # where nothing listens
    env = os.environ | {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache")}
    argv = [sys.executable, "-m", "seq2seq", "pull", "me/en-de", "--output", str(tmp_path / "back")]
    ended = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"seq2seq: error: The hub must be reachable. Received: {address} (")
    assert ended.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"run", "cache"}
    monkeypatch.setattr(constants, "ENDPOINT", address)
    with pytest.raises(HubError, match="The hub must be reachable. Received: "):
        hub.push(model.path, "me/en-de")


def test_without_the_package_the_extra_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"The hub needs huggingface_hub: pip install 'seq2seq\[hub\]'"):
        hub.push(model.path, "me/en-de")


def test_the_commands_print_revision_and_folder(remote, model, run, tmp_path):
    code, revision, err = run("push", model.path, "me/en-de")
    assert (code, err) == (0, f"seq2seq: note: pushed to {remote.address}/me/en-de\n")
    assert revision.strip() == remote.repositories["me/en-de"][-1][0]
    code, out, err = run("pull", "me/en-de", "--output", tmp_path / "back", "--revision", revision.strip())
    assert (code, out) == (0, f"{tmp_path / 'back'}\n")
    assert revision.strip() in err
    assert json.loads((tmp_path / "back" / "manifest.json").read_text())["digest"] == model.digest

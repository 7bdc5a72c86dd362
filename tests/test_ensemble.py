"""An ensemble says the mean of what its members say, as an ordinary model folder does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from safetensors.numpy import load as weights_of
from safetensors.numpy import save

from seq2seq import bundle, cli, export, inference, release
from seq2seq import engine as engines
from seq2seq.config import SearchConfig, build
from seq2seq.model import Seq2Seq
from seq2seq.tokenizer import BOS, EOS, Tokenizer, train

# Sizes and arrangements that all differ.
NETWORKS = {
    "one": {"embedding": 12, "units": 16, "attention": "general"},
    "two": {"embedding": 9, "units": 14, "attention": "additive", "encoder_layers": 2, "decoder_layers": 1},
    "three": {"embedding": 7, "units": 10, "attention": "dot", "decoder_layers": 3, "tied": False},
}
SCORE = {"test": "test", "sentences": 20, "engine": "litert-int8", "beam": 5, "bleu": 12.34, "chrf": 45.67}
SIGNATURES = {"signatures": {"bleu": "nrefs:1", "chrf": "nc:6"}}
FACTS = {
    "pairs": 1234,
    "parameters": 1,
    "epochs": 3,
    "minutes": 2.0,
    "machine": "a box",
    "averaged": "those of epoch 3",
}
GREEDY, BEAM = SearchConfig(beam=1), SearchConfig(beam=4, n_best=3)


@pytest.fixture(scope="module")
def lines(root) -> list[str]:
    return list(dict.fromkeys((root / "data" / "sample.en").read_text(encoding="utf-8").split("\n")))[:150]


@pytest.fixture(scope="module")
def pieces(lines) -> bytes:
    return train(lines, vocabulary=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def models(folder, pieces) -> dict[str, bundle.Bundle]:
    return {name: write(folder / name / "model", pieces, model) for name, model in NETWORKS.items()}


def write(path: Path, pieces: bytes, model: dict, **provenance: str) -> bundle.Bundle:
    """A random network, its weights large so that it is sure of what it says, as training would write it."""
    config = build({"source_language": "en", "target_language": "de", "model": model})
    network = Seq2Seq(config.model, len(Tokenizer(pieces)))
    arrays = {weight.path: (5 * weight.numpy()).astype(np.float16) for weight in network.weights}
    files: dict[str, bytes | Path] = {"tokenizer.model": pieces, "weights.safetensors": save(arrays)}
    return bundle.write(
        path, config=config, files=files, provenance={**FACTS, **provenance}, scores=[SCORE | SIGNATURES]
    )


@pytest.fixture(scope="module")
def ids(pieces, lines) -> list[list[int]]:
    return [Tokenizer(pieces).encode(line) for line in lines]


@pytest.fixture(scope="module")
def both(folder, models) -> bundle.Bundle:
    """An ensemble of two different members."""
    return release.ensemble([models["one"], models["two"]], folder / "both")


@pytest.fixture
def uncompiled(monkeypatch):
    """A stand-in for the compiled graph, which takes seconds to make, where it is not looked at."""
    monkeypatch.setattr(export, "litert", lambda graph: b"graph")


def alike(found, expected) -> None:
    """The same hypotheses with the same scores."""
    for ours, theirs in zip(found, expected, strict=True):
        assert [each.ids for each in ours] == [each.ids for each in theirs]
        np.testing.assert_allclose([each.score for each in ours], [each.score for each in theirs], atol=1e-4)


def greedy_by_hand(members: list[Seq2Seq], source: list[int], limit: int) -> tuple[tuple[int, ...], float]:
    """Each next piece from the mean of the members' probabilities, every prefix decoded anew."""
    given = [(member, *member.encode(np.array([[*source, EOS]], np.int32))) for member in members]
    said, log_prob = [BOS], 0.0
    while len(said) <= limit and (len(said) == 1 or said[-1] != EOS):
        logits = [member.decode(np.array([said]), state, memory).logits[0, -1] for member, memory, state in given]
        wide = [np.asarray(each, np.float64) for each in logits]
        mean = np.mean([np.exp(each - each.max()) / np.exp(each - each.max()).sum() for each in wide], axis=0)
        said.append(EOS + int(mean[EOS:].argmax()))
        log_prob += float(np.log(mean[said[-1]]))
    return tuple(said[1:-1] if said[-1] == EOS else said[1:]), log_prob


def test_two_equal_members_say_what_one_says(folder, models, ids, uncompiled):
    twice = release.ensemble([models["three"], models["three"]], folder / "twice")
    one, two = engines.load(models["three"], "tensorflow"), engines.load(twice, "tensorflow")
    few = SearchConfig(beam=4, n_best=3, max_length=9)  # what follows are loops, whose order is chance
    alike(two.translate(ids, few), one.translate(ids, few))
    said = [found[0].ids for found in one.translate(ids, GREEDY)]
    for ours, theirs in zip(two.score(ids, said), one.score(ids, said), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_greedy_is_the_arg_max_of_the_mean_of_the_probabilities(models, both, ids):
    members = [inference.network(models[name]) for name in ("one", "two")]
    few, search = ids[:5], SearchConfig(beam=1, max_length=9)
    found = engines.load(both, "tensorflow").translate(few, search)
    expected = [greedy_by_hand(members, source, 9) for source in few]
    assert [each[0].ids for each in found] == [said for said, _ in expected]
    np.testing.assert_allclose([each[0].log_prob for each in found], [log_prob for _, log_prob in expected], atol=1e-3)
    alone = engines.load(models["one"], "tensorflow").translate(few, search)
    assert [each[0].ids for each in found] != [each[0].ids for each in alone], "nothing was mixed"


def test_the_order_of_members_does_not_matter(folder, models, both, ids, uncompiled):
    turned = release.ensemble([models["two"], models["one"]], folder / "turned")
    alike(*(engines.load(each, "tensorflow").translate(ids, BEAM) for each in (both, turned)))


@pytest.mark.whole
def test_litert_in_float_says_what_tensorflow_says(both, ids, tmp_path):
    written = export.export(both, "litert", tmp_path / "out", precision="float32")
    engine = engines.LiteRTEngine((written / "model.tflite").read_bytes())
    assert engine.name == "litert-float32"
    search = SearchConfig(
        beam=BEAM.beam, n_best=BEAM.n_best, max_length=12
    )  # later, roundings of a random network grow
    alike(engine.translate(ids, search), engines.load(both, "tensorflow").translate(ids, search))


def test_the_file_in_the_folder_has_8_bits_and_every_signature(both, ids):
    engine = engines.load(both)
    assert engine.name == "litert-int8"
    found = engine.translate(ids[:20], BEAM)
    prefix = engines.Demands(prefix=tuple(ids[1][:2]))
    assert engine.translate(ids[:1], GREEDY, [prefix])[0][0].ids[:2] == prefix.prefix
    for source, (best, *_) in zip(ids[:20], found, strict=True):
        explained = engine.explain(source, best.ids)
        if best.finished:
            assert explained["log_probs"].sum() == pytest.approx(best.log_prob, abs=0.05)


def test_an_explanation_is_the_mean_and_shows_the_cells_of_the_first_member(models, both, ids):
    source, target = ids[3], ids[5]
    together = engines.load(both, "tensorflow").explain(source, target)
    one, two = (engines.load(models[name], "tensorflow").explain(source, target) for name in ("one", "two"))
    np.testing.assert_allclose(together["attention"], (one["attention"] + two["attention"]) / 2, atol=1e-5)
    mean = np.log((np.exp(one["log_probs"]) + np.exp(two["log_probs"])) / 2)
    np.testing.assert_allclose(together["log_probs"], mean, atol=1e-4)
    assert np.isfinite(together["entropy"]).all()
    for cells in ("encoder", "decoder"):
        np.testing.assert_allclose(together[cells], one[cells], atol=1e-5)


@pytest.mark.slow
def test_saved_models_say_what_the_library_says(both, ids, lines, pieces, tmp_path):
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_text")
    expected = [found[0] for found in engines.load(both, "tensorflow").translate(ids[:10], both.config.search)]
    by_ids = tf.saved_model.load(str(export.export(both, "saved_model_ids", tmp_path / "ids")))
    for row, said in zip(ids[:10], expected, strict=True):
        found = by_ids.signatures["serving_default"](source=tf.constant([[*row, EOS]]))
        assert tuple(token for token in found["tokens"].numpy()[0, 0] if token > EOS) == said.ids
    by_text = export.export(both, "saved_model", tmp_path / "text")
    found = tf.saved_model.load(str(by_text)).signatures["serving_default"](text=tf.constant(lines[:10]))
    np.testing.assert_allclose(found["score"], [said.score for said in expected], atol=1e-3)


class TestFolder:
    def test_it_holds_the_members_weights_apart_in_float16(self, models, both):
        arrays = weights_of(both.read("weights.safetensors"))
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
        for member, name in zip(both.members, ("one", "two"), strict=True):
            own = weights_of(models[name].read("weights.safetensors"))
            assert member.own(arrays).keys() == own.keys()
            for path, array in member.own(arrays).items():
                np.testing.assert_array_equal(array, own[path])
        assert len(arrays) == sum(len(member.own(arrays)) for member in both.members)

    def test_the_manifest_describes_every_member(self, models, both):
        loaded = bundle.load(both.path)
        assert [member.name for member in loaded.members] == ["one", "two"]
        for member, name in zip(loaded.members, ("one", "two"), strict=True):
            assert member.config == models[name].config
            assert (member.provenance, member.scores) == (models[name].provenance, models[name].scores)
        assert loaded.tokenizers == models["one"].tokenizers
        assert loaded.read("tokenizer.model") == models["one"].read("tokenizer.model")

    def test_a_single_model_says_nothing_of_members(self, models):
        assert "members" not in json.loads((models["one"].path / "manifest.json").read_text(encoding="utf-8"))
        assert models["one"].members == ()

    def test_the_card_names_members_sizes_scores_and_data(self, both):
        card = both.read("README.md").decode()
        for words in (
            "An ensemble of 2 LSTM",
            "| 1. one | 12 | 16 | 1 | 2 | general | other |",
            "| 2. two | 9 | 14 | 2 | 1 | additive | other |",
            "| 2. two | test (20) | litert-int8 | 5 | 12.3 | 45.7 |",
            "license: other\n",
            "The ensemble itself was not measured.",
        ):
            assert words in card
        assert card.count("1,234 sentence pairs of the one who trained it.") == 1
        assert "different licences" not in card

    def test_it_is_measured_before_it_is_there(self, folder, models, tmp_path, monkeypatch):
        seen = []

        def measured(path, tests, say, hear):
            seen.append((bundle.load(path).members != (), path.is_relative_to(tmp_path), (tmp_path / "out").exists()))
            return [SCORE | SIGNATURES | {"bleu": 99.9, "test": name} for name in tests]

        monkeypatch.setattr(release, "_measured", measured)
        monkeypatch.setattr(export, "litert", lambda graph: b"graph")
        made = release.ensemble([models["one"], models["two"]], tmp_path / "out", tests={"mine": (["a"], ["b"])})
        assert seen == [(True, False, False)]
        assert made.scores[0]["bleu"] == 99.9
        card = made.read("README.md").decode()
        assert "| the ensemble | mine (20) | litert-int8 | 5 | 99.9 | 45.7 |" in card
        assert "The ensemble itself was not measured" not in card

    def test_different_licences_are_all_named(self, folder, models, pieces, uncompiled):
        free = write(folder / "free", pieces, NETWORKS["one"], licence="cc0-1.0", data="Free text.")
        made = release.ensemble([free, models["two"]], folder / "mixed")
        assert made.provenance["licence"] == "cc0-1.0 and other"
        assert made.provenance["data"] == "Free text. 1,234 sentence pairs of the one who trained it."
        card = made.read("README.md").decode()
        assert "license: other\n" in card
        assert "| 1. free | 12 | 16 | 1 | 2 | general | cc0-1.0 |" in card
        assert "The members are under different licences" in card


class TestRefusals:
    def refused(self, members: list[bundle.Bundle], path: Path, message: str) -> None:
        with pytest.raises(release.EnsembleError, match=message):
            release.ensemble(members, path)
        assert not path.exists()

    def test_one_model(self, models, tmp_path):
        self.refused([models["one"]], tmp_path / "out", r"^An ensemble must have at least two members\. Received: 1$")

    def test_other_tokenizers(self, models, lines, tmp_path):
        other = write(tmp_path / "other", train(lines[::2], vocabulary=300), NETWORKS["one"])
        message = (
            r"must have the same tokenizers, byte for byte\. Received: .*model and .*other, whose tokenizers differ"
        )
        self.refused([models["one"], other], tmp_path / "out", message)

    def test_other_languages(self, models, tmp_path):
        config = build({"source_language": "fr", "target_language": "de", "model": NETWORKS["one"]})
        files = {name: models["one"].read(name) for name in models["one"].files}
        other = bundle.write(tmp_path / "fr", config=config, files=files, provenance={}, scores=[])
        message = r"must translate between the same languages\. Received: .*model, en to de, and .*fr, fr to de$"
        self.refused([models["one"], other], tmp_path / "out", message)

    def test_an_ensemble_as_a_member(self, models, both, tmp_path):
        message = r"must be single models; name its own members instead\. Received: .*both, an ensemble of 2$"
        self.refused([models["one"], both], tmp_path / "out", message)

    def test_a_model_without_weights(self, models, tmp_path):
        files = {"tokenizer.model": models["one"].read("tokenizer.model")}
        bare = bundle.write(tmp_path / "bare", config=models["one"].config, files=files, provenance={}, scores=[])
        with pytest.raises(bundle.BundleError, match=r"must hold weights\.safetensors for this\. Received: .*bare"):
            release.ensemble([models["one"], bare], tmp_path / "out")

    def test_a_folder_in_use(self, models, tmp_path):
        shutil.copytree(models["one"].path, tmp_path / "mine")
        before = sorted(path.name for path in tmp_path.rglob("*"))
        with pytest.raises(release.EnsembleError, match=r"^An ensemble must go to a new or empty folder, "):
            release.ensemble([models["one"], models["two"]], tmp_path / "mine")
        assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("last", ["README.md", "weights.safetensors", "manifest.json"])
def test_a_full_disk_leaves_nothing(models, tmp_path, monkeypatch, uncompiled, last):
    from seq2seq.bundle import writing

    store = writing._store

    def full(path, content):
        if path.name == last:
            raise OSError(28, "No space left on device")
        return store(path, content)

    monkeypatch.setattr(writing, "_store", full)
    with pytest.raises(bundle.SaveError, match=r"^A model folder must be writable whole\. Received: "):
        release.ensemble([models["one"], models["two"]], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class TestCommand:
    @pytest.fixture(autouse=True)
    def quiet(self, monkeypatch):
        monkeypatch.setattr(cli.streams, "silence", lambda: None)

    def test_run_folders_become_a_folder_whose_path_is_the_data(self, folder, models, tmp_path, uncompiled, capsys):
        argv = ["ensemble", *(str(folder / name) for name in NETWORKS), "--output", str(tmp_path / "out")]
        assert cli.run(argv) == 0
        assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
        assert [member.name for member in bundle.load(tmp_path / "out").members] == list(NETWORKS)

    def test_what_is_wrong_is_one_sentence(self, folder, models, tmp_path, capsys):
        assert cli.run(["ensemble", str(folder / "one"), "--output", str(tmp_path / "out")]) == 1
        out, err = capsys.readouterr()
        assert (out, err) == ("", "seq2seq: error: An ensemble must have at least two members. Received: 1\n")
        assert cli.run(["ensemble", str(folder / "none"), str(folder / "one"), "--output", str(tmp_path / "out")]) == 4

    def test_a_test_set_has_two_sides_of_one_length(self, folder, models, tmp_path, uncompiled, monkeypatch, capsys):
        asked = []
        monkeypatch.setattr(release, "_measured", lambda path, tests, *_: asked.append(tests) or [])
        texts = [tmp_path / name for name in ("a.en", "a.de")]
        for path in texts:
            path.write_text("one\ntwo\n", encoding="utf-8")
        argv = ["ensemble", str(folder / "one"), str(folder / "two"), "--output", str(tmp_path / "out")]
        argv += ["--test-source", str(texts[0])]
        assert cli.run(argv) == 2
        assert "--test-source and --test-target belong together. Received: " in capsys.readouterr().err
        assert cli.run([*argv, "--test-target", str(texts[1])]) == 0
        assert asked == [{"test": (["one", "two"], ["one", "two"])}]
        texts[1].write_text("one\n", encoding="utf-8")
        assert cli.run([*argv, "--test-target", str(texts[1])]) == 3

    def test_a_test_set_of_the_other_direction_is_refused(self, folder, tmp_path, capsys):
        texts = [tmp_path / name for name in ("a.de", "a.en")]
        for path in texts:
            path.write_text("one\ntwo\n", encoding="utf-8")
        argv = ["ensemble", str(folder / "one"), str(folder / "two"), "--output", str(tmp_path / "out")]
        assert cli.run([*argv, "--test-source", str(texts[0]), "--test-target", str(texts[1])]) == 2
        assert "The text must be en and de, in this order" in capsys.readouterr().err

    def test_info_names_every_member(self, both, capsys):
        assert cli.run(["info", str(both.path)]) == 0
        out = capsys.readouterr().out
        for words in ("one", "two", "units 16, attention general", "units 14, attention additive", "BLEU 12.3"):
            assert words in out
        assert cli.run(["info", str(both.path), "--json"]) == 0
        assert [each["name"] for each in json.loads(capsys.readouterr().out)["members"]] == ["one", "two"]


def test_runs_on_the_same_files_have_the_same_tokenizer_whatever_their_seed_and_size(root, tmp_path):
    from seq2seq.pipeline import Files, Run
    from seq2seq.pipeline.start import start

    texts = [(root / "data" / f"sample.{side}").read_text(encoding="utf-8").split("\n")[:600] for side in ("en", "de")]
    files = []
    for rows in (slice(0, 500), slice(500, 550), slice(550, 600)):
        for side, text in zip(("en", "de"), texts, strict=True):
            files.append(tmp_path / f"{rows.start}.{side}")
            files[-1].write_text("\n".join(text[rows]), encoding="utf-8")
    for seed, units in ((1, 8), (2, 6)):
        settings = {"source_language": "en", "target_language": "de", "model": {"units": units}}
        run = Run(tmp_path / str(seed))
        run.folder.mkdir()
        start(Files(*files), run, settings | {"training": {"seed": seed}}, lambda line: None)
    assert (tmp_path / "1" / "tokenizer.model").read_bytes() == (tmp_path / "2" / "tokenizer.model").read_bytes()

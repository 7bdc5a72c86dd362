"""Confidence: fitted, judged, kept in the folder, shown, and used to abstain."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
import scripted

from seq2seq import bundle, calibration, card, cli, config, release
from seq2seq.calibration import Bin, Calibration, CalibrationError
from seq2seq.engine import Hypothesis
from seq2seq.report import reliability
from seq2seq.translator import Candidate, Translation, Translator

SURE = Calibration(2.0, 4.0, 500, bins=(Bin(30, 0.25, 0.2), Bin(70, 0.85, 0.9)))


def simulated(sentences: int, bias: float, slope: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Mean log-probabilities, and chrF that is 80 with the chance that they tell, else 20."""
    generator = np.random.default_rng(seed)
    log_probs = -generator.exponential(0.4, sentences)
    right = generator.random(sentences) < 1 / (1 + np.exp(-(bias + slope * log_probs)))
    return log_probs, np.where(right, 80.0, 20.0)


class TestFit:
    def test_it_finds_the_curve_that_made_the_text(self):
        found = calibration.fit(*simulated(20_000, 2.5, 4.0))
        assert found.bias == pytest.approx(2.5, abs=0.15)
        assert found.slope == pytest.approx(4.0, abs=0.25)
        assert found.sentences == 20_000

    def test_claims_hold_on_other_text(self):
        sure = calibration.judge(calibration.fit(*simulated(2000, 2.5, 4.0)), *simulated(5000, 2.5, 4.0, seed=1))
        assert sure.error < 0.03
        assert sum(each.sentences for each in sure.bins) == 5000
        assert all(abs(each.confidence - each.right) < 0.1 for each in sure.bins if each.sentences > 100)

    def test_claims_that_do_not_hold_are_seen(self):
        sure = calibration.judge(calibration.fit(*simulated(2000, 2.5, 4.0)), *simulated(5000, 0.5, 4.0, seed=1))
        assert sure.error > 0.2

    def test_more_probable_is_more_sure(self):
        claims = [SURE.confidence(log_prob, 10) for log_prob in (-1000.0, -20.0, -5.0, -1.0, 0.0)]
        assert claims == sorted(claims)
        assert 0 <= claims[0] < 0.01 < 0.85 < claims[-1] <= 1

    def test_it_is_the_mean_of_a_piece_that_counts(self):
        assert SURE.confidence(-2.0, 4) == SURE.confidence(-4.0, 8) == pytest.approx(0.5)

    def test_sets_that_are_split_without_a_doubt_have_a_finite_slope(self):
        log_probs = [-0.1] * 60 + [-2.0] * 60
        found = calibration.fit(log_probs, [90.0] * 60 + [10.0] * 60)
        assert 1 < found.slope < 50

    @pytest.mark.parametrize(
        ("sentences", "right"),
        [(99, 50), (200, 9), (200, 191)],
        ids=["too few", "hardly any right", "hardly any wrong"],
    )
    def test_too_little_text(self, sentences, right):
        chrf = [80.0] * right + [20.0] * (sentences - right)
        with pytest.raises(
            CalibrationError, match=rf"^A calibration needs 100 sentences, .* Received: {sentences} sent"
        ):
            calibration.fit([-0.5] * sentences, chrf)

    def test_a_model_that_is_surest_where_it_is_wrong(self):
        log_probs, chrf = simulated(1000, 2.0, 4.0)
        with pytest.raises(CalibrationError, match="whose more probable translations are the better ones"):
            calibration.fit(log_probs, 100 - chrf)


class Echo:
    """Says what it reads, with the probability e^-2 whatever it is; says no more than it may."""

    name = "echo"

    def translate(self, sources, search):
        most = search.max_length or 1000
        return [[Hypothesis(tuple(ids)[:most], -1.0, -2.0, len(ids) <= most)] for ids in sources]


@pytest.fixture
def echo() -> Translator:
    """Long sentences are the sure ones: their pieces share a doubt."""
    same = config.build({"source_language": "en", "target_language": "en"})
    return Translator(Echo(), scripted.tokens(), scripted.tokens(), config=same, calibration=SURE)


SHORT, LONG = "der Hund", "ein Baum rot blau gut die Katze das Haus"


class TestTranslation:
    def test_a_sentence_has_the_confidence_of_its_probability(self, echo):
        found = echo(LONG)
        assert found.confidence == SURE.confidence(-2.0, len(found.hypotheses[0].pieces) + 1)

    def test_the_model_folder_gives_it(self, tmp_path):
        plain = bundle.load(scripted.write(tmp_path / "model"))
        assert Translator.load(plain.path)(SHORT).confidence is None
        files = {name: plain.read(name) for name in plain.files}
        facts = {"config": plain.config, "files": files, "provenance": {}, "scores": []}
        bundle.write(plain.path, **facts, calibration=SURE)
        found = Translator.load(plain.path)(SHORT)
        best = found.hypotheses[0]
        assert found.confidence == pytest.approx(SURE.confidence(best.log_prob, len(best.pieces) + 1))

    def test_a_text_is_as_sure_as_its_least_sure_sentence(self, echo):
        found = echo(f"{LONG}\n{SHORT}\n{LONG}")
        assert found.confidence == found.sentences[1].confidence < found.sentences[0].confidence

    def test_what_was_cut_is_not_sure(self, echo):
        found = echo(LONG, search=msgspec.structs.replace(echo.config.search, max_length=2))
        assert "cut" in found.flags
        assert found.confidence == 0.0

    def test_without_words_nothing_is_claimed(self, echo):
        assert echo(" \n ").confidence is None
        assert not echo("").unsure(1.0)

    def test_unsure_is_less_than_the_least(self, echo):
        found = echo(SHORT)
        assert found.unsure(found.confidence + 0.01)
        assert not found.unsure(found.confidence)

    def test_lines_of_less_confidence_are_left_empty(self, echo, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(cli.translate.shell, "load", lambda *_, **__: echo)
        source = tmp_path / "a.txt"
        source.write_text(f"{SHORT}\n\n{LONG}\n", encoding="utf-8")
        argv = ["translate", "model", "--input", str(source), "--min-confidence"]
        least = (echo(SHORT).confidence + echo(LONG).confidence) / 2
        assert cli.run([*argv, str(least)]) == 0
        out, err = capsys.readouterr()
        assert out == f"\n\n{LONG}\n"
        assert err.endswith(f"left empty, for their confidence is under {least}: 1\n")
        assert cli.run([*argv, "1", "--json"]) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["text"] for line in told] == ["", "", ""]
        assert told[0]["hypotheses"] == []
        assert told[0]["confidence"] == pytest.approx(echo(SHORT).confidence)
        assert cli.run([*argv, "0"]) == 0
        assert capsys.readouterr() == (f"{SHORT}\n\n{LONG}\n", "")

    def test_a_model_that_was_not_measured_cannot_abstain(self, tmp_path, capsys):
        model = scripted.write(tmp_path / "model")
        assert cli.run(["translate", str(model), "--min-confidence", "0.5", "--input", __file__]) == 2
        assert "A least confidence needs a model whose confidence was measured" in capsys.readouterr().err

    def test_documents_have_no_lines_to_leave_empty(self, tmp_path, capsys):
        argv = ["translate", "model", "--file", __file__, "--output", str(tmp_path / "out"), "--min-confidence", "0"]
        assert cli.run(argv) == 2
        assert "--min-confidence is for lines, not for documents" in capsys.readouterr().err


class TestFolder:
    def test_it_is_kept_in_the_manifest(self, tmp_path):
        bundle.write(
            tmp_path / "m",
            config=config.build(scripted.LANGUAGES),
            files={},
            provenance={},
            scores=[],
            calibration=SURE,
        )
        assert bundle.load(tmp_path / "m").calibration == SURE

    def test_a_folder_without_it_does_not_speak_of_it(self, tmp_path):
        bundle.write(tmp_path / "m", config=config.build(scripted.LANGUAGES), files={}, provenance={}, scores=[])
        assert bundle.load(tmp_path / "m").calibration is None
        assert "calibration" not in json.loads((tmp_path / "m" / "manifest.json").read_text(encoding="utf-8"))

    def test_the_card_shows_claims_and_what_became_of_them(self):
        facts = {"parameters": 1, "version": "0"}
        words = card.write(config.build(scripted.LANGUAGES), facts, scores=[], calibration=SURE)
        assert "fitted on 500 held-out" in words
        assert "off by 5.0%" in words
        assert "| 85% | 90% | 70 |" in words
        assert "(reliability.svg)" in words
        assert "Confidence" not in card.write(config.build(scripted.LANGUAGES), facts, scores=[])

    def test_the_picture_has_a_bar_for_each_bin(self):
        picture = ElementTree.fromstring(reliability.diagram(SURE))
        bars = picture.findall("{*}rect[@class='bar']")
        heights = [float(bar.get("height")) for bar in bars]
        assert len(bars) == 2
        assert heights[1] / heights[0] == pytest.approx(0.9 / 0.2, rel=0.01)


class Told:
    """A translator whose translations are right as often as their probability says."""

    calls = 0

    def __call__(self, texts):
        Told.calls += 1
        return [self._one(text) for text in texts]

    def _one(self, text):
        number = int(text.split()[0])
        mean = -0.01 * (number % 100)
        said = text if np.random.default_rng(number).random() < 1 / (1 + np.exp(-(2 + 4 * mean))) else "xyz"
        best = Candidate(said, 2 * mean, 2 * mean, ("a",), True)
        alone = Translation(text, said, best.score, (best,), (), (), "litert-int8")
        return Translation(text, said, best.score, (best,), (alone,), (), "litert-int8")


class TestRelease:
    LINES = tuple(f"{number} a sentence with words" for number in range(400))

    @pytest.fixture
    def model(self, tmp_path, monkeypatch) -> Path:
        monkeypatch.setattr(release.Translator, "load", staticmethod(lambda path, engine="litert": Told()))
        files = {"model.tflite": b"graph", "README.md": b"old"}
        facts = {"parameters": 1, "version": "0", "pairs": 3}
        return bundle.write(
            tmp_path / "model", config=config.build(scripted.LANGUAGES), files=files, provenance=facts, scores=[]
        ).path

    def test_one_half_is_fitted_and_the_other_judged(self, model, tmp_path):
        said: list[str] = []
        pair = self.LINES, self.LINES
        made = release.calibrate(bundle.load(model), {"a": pair}, tmp_path / "new", say=said.append)
        assert made.calibration.sentences == 200
        assert sum(each.sentences for each in made.calibration.bins) == 200
        assert said == [f"confidence: fitted on 200 sentences, off by {made.calibration.error:.1%} on others"]
        assert made.read("model.tflite") == b"graph"
        assert b"Confidence" in made.read("README.md")
        assert made.read("reliability.svg").startswith(b"<svg")
        assert made.provenance["pairs"] == 3
        assert bundle.load(model).calibration is None

    def test_the_certificate_of_the_graph_goes_on_to_hold(self, model, tmp_path):
        pytest.importorskip("tensorflow")
        from seq2seq.export import certificate

        promised = certificate.files(model)
        old = bundle.load(model).contents()
        old["files"]["certificate.json"] = json.dumps({"files": promised}).encode()
        bundle.write(model, **old)
        made = release.calibrate(bundle.load(model), {"a": (self.LINES, self.LINES)}, tmp_path / "new", say=print)
        assert set(promised) == {"model.tflite"}
        assert json.loads(made.read("certificate.json"))["files"] == certificate.files(made.path)

    def test_of_two_sets_the_first_is_fitted_and_the_last_judged(self, model, tmp_path):
        tests = {"valid": (self.LINES, self.LINES), "test": (self.LINES[:150], self.LINES[:150])}
        made = release.calibrate(bundle.load(model), tests, tmp_path / "new", say=lambda _: None)
        assert made.calibration.sentences == 400
        assert sum(each.sentences for each in made.calibration.bins) == 150

    def test_the_command_renews_the_model(self, model, tmp_path, capsys):
        for name in ("a.en", "a.de"):
            (tmp_path / name).write_text("".join(f"{line}\n" for line in self.LINES), encoding="utf-8")
        argv = ["calibrate", str(model), "--source", str(tmp_path / "a.en"), "--reference", str(tmp_path / "a.de")]
        assert cli.run(argv) == 0
        assert capsys.readouterr().out == f"{model}\n"
        assert bundle.load(model).calibration.sentences == 200

    def test_text_of_the_other_direction_leaves_the_model_as_it_was(self, model, tmp_path, capsys):
        made = bundle.load(model)
        names = [tmp_path / f"a.{language}" for language in (made.target_language, made.source_language)]
        for path in names:
            path.write_text("".join(f"{line}\n" for line in self.LINES), encoding="utf-8")
        before = (model / "manifest.json").read_bytes()
        assert cli.run(["calibrate", str(model), "--source", str(names[0]), "--reference", str(names[1])]) == 2
        assert "in this order; exchange the two" in capsys.readouterr().err
        assert (model / "manifest.json").read_bytes() == before

    def test_another_folder_is_not_replaced(self, model, tmp_path, capsys):
        other = tmp_path / "other"
        other.mkdir()
        (other / "manifest.json").write_text("{}")
        argv = ["calibrate", str(model), "--source", "a.en", "--reference", "a.de", "--output", str(other)]
        assert cli.run(argv) == 2
        assert (
            f"must be a new folder; without it the model itself is renewed. Received: {other}"
            in capsys.readouterr().err
        )
        assert [path.name for path in other.iterdir()] == ["manifest.json"]

    def test_too_little_text_leaves_the_model_as_it_was(self, model, tmp_path, capsys):
        for name in ("a.en", "a.de"):
            (tmp_path / name).write_text("1 one\n2 two\n", encoding="utf-8")
        before = (model / "manifest.json").read_bytes()
        argv = ["calibrate", str(model), "--source", str(tmp_path / "a.en"), "--reference", str(tmp_path / "a.de")]
        assert cli.run(argv) != 0
        assert "A calibration needs 100 sentences" in capsys.readouterr().err
        assert (model / "manifest.json").read_bytes() == before

    def test_a_release_goes_on_without_confidence_and_says_why(self):
        said: list[str] = []
        few = Told()(self.LINES[:20])
        assert release._calibrated({"valid": few}, {"valid": ((), self.LINES[:20])}, said.append) is None
        assert said[0].startswith("no confidence: A calibration needs 100 sentences")

    def test_the_widest_beam_of_the_first_engine_is_what_counts(self):
        heard: list[tuple[str, int]] = []
        listener = release._Listener(lambda test, beam, _: heard.append((test, beam)))
        listener("valid", 1, ["greedy"])
        listener("valid", 5, ["first"])
        listener("valid", 5, ["second"])
        assert listener.heard == {"valid": ["first"]}
        assert heard == [("valid", 1), ("valid", 5), ("valid", 5)]

    def test_what_nobody_should_believe_is_no_evidence(self):
        good, bad = Told()(self.LINES[:2])
        bad = SimpleNamespace(text=bad.text, sentences=bad.sentences, flags=("cut",))
        log_probs, chrf = release._evidence([good, bad], self.LINES[:2])
        assert len(log_probs) == len(chrf) == 1

"""Teachers and their student: what each stage gets, that stages are not repeated, and the whole at a tiny size."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from seq2seq import bundle, config, distillation, export, inference, pipeline
from seq2seq.cli import run as command
from seq2seq.pipeline import teachers
from seq2seq.pipeline.run import Files, Interrupted, PipelineError, Run
from seq2seq.translator import Candidate, Translation

LANGUAGES = {"source_language": "en", "target_language": "de"}
LINES = [f"line {number}" for number in range(20)]


class Drawer:
    """Translates by adding the number of the draw; what ends in 7 is empty, what ends in 8 loops."""

    source_language, target_language = "de", "en"

    def stream(self, lines, *, search):
        for line in lines:
            text = "" if line.endswith("7") else f"{line} again {search.seed}"
            flags = ("repeats",) if line.endswith("8") else ()
            best = Candidate(text, 0.0, 0.0, (), True)
            yield Translation(line, text, 0.0, (best,), (), (), "stand-in", flags)


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand-ins for trainings and translations; `calls` tells which there were, and with what."""
    calls: list[tuple[str, Any, Any]] = []
    backs: dict[str, Any] = {}
    told: dict[str, Any] = {}
    said: list[str] = []
    settings = {
        "model": {"dropout": 0.3, "word_dropout": 0.1},
        "training": {"epochs": 20, "r_drop": 5.0, "seed": 4},
        "search": {"diversity": 0.5},
    }

    def made(folder: Path, given: Any = LANGUAGES, members: Any = ()) -> bundle.Bundle:
        resolved, rest = config.build(given), {"provenance": {}, "scores": [{"test": "test"}]}
        members = [bundle.Member(str(at), f"{at}/", each.config, {}, []) for at, each in enumerate(members)]
        return bundle.write(folder, config=resolved, files={"a": b"1"}, members=members, **rest)

    def train_seeds(files, output, seeds, *, settings, resume, **rest):
        calls.append(("teachers", list(seeds), resume))
        told["apart"] = seeds
        run = Run(output / f"seed-{(first := min(seeds))}")
        if not run.config.exists():
            run.data.mkdir(parents=True)
            for name in ("train", "valid", "test"):
                (run.data / f"{name}.en").write_text("".join(f"{name} {line}\n" for line in LINES))
                (run.data / f"{name}.de").write_text("".join(f"{name} Zeile {n}\n" for n in range(20)))
            own = {**LANGUAGES, "training": {"seed": first}}
            run.config.write_text(config.dump(config.build(settings, seeds[first], own)))
        return [made(output / f"seed-{seed}" / "model") for seed in seeds]

    def train(files, folder, *, settings, provenance, resume, before, say):
        calls.append((folder.name, files, settings))
        told[folder.name] = provenance
        return made(folder / "model", settings)

    def distill(translator, pairs, folder, *, search, identity, back, keep_original, progress):
        if folder.name.startswith("drawn"):
            assert search.temperature == 1 and search.top_k == 10
            return draw(translator, pairs, folder, search=search, identity=identity)
        calls.append((folder.name, list(pairs()), search))
        told[f"{folder.name}, original"] = keep_original
        backs[folder.name] = back and (back.source_language, back.target_language)
        folder.mkdir(parents=True)
        paths = folder / "train.en", folder / "train.de"
        for path in paths:
            text = "".join(f"{folder.name} {number}\n" for number, _ in enumerate(pairs()))
            path.write_text(text * (2 if keep_original else 1))
        return distillation.Distilled(*paths, {})

    draw = distillation.distill
    monkeypatch.setattr(teachers, "train_seeds", train_seeds)
    monkeypatch.setattr(teachers, "train", train)
    monkeypatch.setattr(teachers.distillation, "distill", distill)
    monkeypatch.setattr(teachers.release, "ensemble", lambda models, path, say: made(path, members=models))
    monkeypatch.setattr(teachers.Translator, "load", staticmethod(lambda path: Drawer()))
    output = tmp_path / "out"

    def go(teachers: int = 2, **more: Any) -> bundle.Bundle:
        files, rest = Files(Path("a.en"), Path("a.de")), {"settings": {**LANGUAGES, **settings}, **more}
        return pipeline.train_with_teachers(files, output, teachers, say=said.append, **rest)

    return SimpleNamespace(calls=calls, backs=backs, told=told, said=said, go=go, output=output, settings=settings)


class TestStages:
    def test_their_order(self, staged):
        made = staged.go()
        assert [name for name, *_ in staged.calls] == ["teachers", "back", "own", "new", "out"]
        assert made.path == staged.output / "model"
        assert staged.calls[0][1] == [4, 5]

    def test_the_one_that_translates_back_reads_everything_the_other_way_round(self, staged):
        staged.go()
        _, files, settings = staged.calls[1]
        assert (files.source.name, files.target.name) == ("train.de", "train.en")
        assert (files.valid_source.name, files.valid_target.name) == ("valid.de", "valid.en")
        assert (files.test_source.name, files.test_target.name) == ("test.de", "test.en")
        assert (settings["source_language"], settings["target_language"]) == ("de", "en")
        assert config.build(settings).model.dropout == 0.3

    def test_sources_are_drawn_for_every_target_and_the_useless_ones_left_out(self, staged):
        staged.go()
        drawn = (staged.output / "text" / "drawn.en").read_text().splitlines()
        kept = [n for n in range(20) if n % 10 not in (7, 8)]
        assert drawn == [f"train Zeile {n} again {draw}" for draw in (1, 2, 3, 4) for n in kept]
        assert staged.calls[3][1] == [(line, "") for line in drawn]

    def test_sources_that_are_held_out_are_not_drawn(self, staged):
        staged.go()
        held_out = staged.output / "teachers" / "seed-4" / "data" / "test.en"
        held_out.write_text("TRAIN Zeile 3 again: 2!\n")
        (staged.output / "text" / "drawn.en").unlink()
        text = teachers.Text(staged.output / "text", teachers.Taught(Run(held_out.parents[1]), {}), lambda _: None)
        drawn = text.drawn(bundle.load(staged.output / "back" / "model")).read_text().splitlines()
        assert "train Zeile 3 again 1" in drawn and "train Zeile 3 again 2" not in drawn

    def test_of_too_many_targets_every_so_many_th_counts(self, staged, monkeypatch):
        monkeypatch.setattr(teachers, "MOST", 8)
        staged.go()
        drawn = (staged.output / "text" / "drawn.en").read_text().splitlines()
        assert drawn == [f"train Zeile {n} again 1" for n in (0, 3, 6, 9, 12, 15)]

    def test_the_best_of_five_counts_by_the_reference_or_by_the_one_that_translates_back(self, staged):
        staged.go()
        (_, own, wide), (_, _, blind) = staged.calls[2:4]
        assert own[3] == ("train line 3", "train Zeile 3")
        assert wide.n_best == blind.n_best == 5
        assert staged.backs == {"own": None, "new": ("de", "en")}

    def test_the_student_reads_all_and_is_judged_on_the_teachers_sets(self, staged):
        staged.go()
        _, files, settings = staged.calls[4]
        assert (files.source.parent.name, files.more[0][0].parent.name) == ("own", "new")
        assert (files.valid_source.name, files.test_target.name) == ("valid.en", "test.de")
        assert (staged.told["own, original"], staged.told["new, original"]) == (True, False)
        student = config.build(settings)
        assert (student.model.dropout, student.model.word_dropout) == (0.2, 0.067)
        assert (student.training.r_drop, student.training.moving_average) == (5.0, 0.999)  # asked for, and its own
        assert student.training.epochs == round(1.5 * 20 * 20 / (20 + 64))  # what stands twice is read once
        assert student.training.seed == 4

    def test_the_student_names_its_teachers_and_their_text(self, staged):
        staged.go(provenance={"data": "mine"})
        digest = bundle.load(staged.output / "ensemble").digest
        assert staged.told["back"] is None
        assert staged.told["out"] == {"teachers": {"models": 2, "digest": digest, "pairs": 20}, "data": "mine"}

    def test_teachers_are_disturbed_in_ways_of_their_own_and_the_others_as_usual(self, staged):
        staged.go(3)
        steps = {"variational_dropout": False}
        assert staged.told["apart"] == {
            4: {"model": steps, "training": {}},
            5: {"model": steps, "training": {"sampling": 0.0}},
            6: {"model": steps, "training": {}},
        }
        taught = teachers.Taught(Run(staged.output / "teachers" / "seed-4"), {})
        assert taught.config.model.variational_dropout is False
        assert [config.build(staged.calls[at][2]).model.variational_dropout for at in (1, 4)] == [True, True]

    def test_what_is_asked_for_all_have(self, staged):
        staged.settings["model"]["variational_dropout"] = False
        staged.settings["training"] |= {"sampling": 0.5, "moving_average": 0.0}
        staged.settings["search"]["max_ratio"] = 3.0
        staged.go()
        assert staged.told["apart"] == {4: {"model": {}, "training": {}}, 5: {"model": {}, "training": {}}}
        for at in (1, 4):
            asked = config.build(staged.calls[at][2])
            assert (asked.model.variational_dropout, asked.training.sampling) == (False, 0.5)
            assert (asked.training.moving_average, asked.search.max_ratio) == (0.0, 3.0)

    def test_each_network_finds_how_long_its_translations_may_be(self, staged):
        staged.go()
        for at in (1, 4):
            search = staged.calls[at][2]["search"]
            assert "max_ratio" not in search and search["diversity"] == 0.5

    def test_weights_and_alignments_are_the_teachers_alone(self, staged):
        staged.settings["corpus"] = {"weights": [1.0, 3.0]}
        staged.settings["training"]["guided_attention"] = 0.2
        staged.go()
        for at in (1, 4):
            made = config.build(staged.calls[at][2])
            assert (made.corpus.weights, made.training.guided_attention) == ((), 0.0)

    def test_what_was_asked_for_need_not_be_asked_for_again(self, staged):
        staged.settings["model"]["variational_dropout"] = False
        staged.go()
        for each in (staged.output / "config.yaml", staged.output / "model" / "manifest.json"):
            each.unlink(missing_ok=True)
        (staged.output / "model" / "a").unlink()
        del staged.settings["model"], staged.settings["training"]
        staged.calls.clear()
        staged.go(resume=True)
        assert [name for name, *_ in staged.calls] == ["teachers", "out"]
        assert staged.calls[0][1] == [4, 5]
        student = config.build(staged.calls[1][2])
        assert (student.model.variational_dropout, student.training.seed) == (False, 4)

    def test_a_killed_one_knows_what_was_asked_for(self, staged, monkeypatch):
        seen = []

        def killed(*_: Any, **rest: Any) -> None:  # nothing of the process runs after it, so the file must be there
            seen.append(json.loads((staged.output / "asked.json").read_text()))
            raise Interrupted

        monkeypatch.setattr(teachers, "train_seeds", killed)
        with pytest.raises(Interrupted):
            staged.go()
        assert seen == [{**LANGUAGES, **staged.settings}]

    @pytest.mark.parametrize("finished", [False, True])
    @pytest.mark.parametrize("setting", [{"epochs": 30}, {"seed": 5}])
    def test_what_is_refused_is_not_remembered(self, staged, setting, finished):
        staged.go()
        asked = (staged.output / "asked.json").read_bytes()
        if not finished:
            (staged.output / "model" / "manifest.json").unlink()
            (staged.output / "model" / "a").unlink()
        staged.calls.clear()
        staged.settings["training"] |= setting
        ((name, value),) = setting.items()
        with pytest.raises(PipelineError, match=rf"keeps its settings; .* Received: training\.{name}={value}$"):
            staged.go(resume=True)
        assert staged.calls == [] and (staged.output / "asked.json").read_bytes() == asked
        del staged.settings["training"]
        staged.go(resume=True)

    def test_one_that_is_refused_at_once_leaves_nothing(self, staged, monkeypatch):
        def refused(*_: Any, **__: Any) -> None:
            raise PipelineError("no")

        monkeypatch.setattr(teachers, "train_seeds", refused)
        with pytest.raises(PipelineError, match="^no$"):
            staged.go()
        assert not staged.output.exists()

    def test_one_that_is_begun_keeps_what_it_began_with(self, staged):
        staged.go()
        for name in ("back", "."):
            run = Run(staged.output / name)
            run.config.write_text(config.dump(config.build(LANGUAGES, {"training": {"epochs": 7}})))
            (run.model / "manifest.json").unlink()
            (run.model / "a").unlink()
        staged.calls.clear()
        staged.go(resume=True)
        assert [(name, settings) for name, _, settings in staged.calls[1:]] == [("back", {}), ("out", {})]

    def test_what_is_done_is_not_done_again(self, staged):
        staged.go()
        with pytest.raises(PipelineError, match="A new run needs a new folder"):
            staged.go()
        staged.calls.clear()
        assert staged.go(resume=True).path == staged.output / "model"
        assert staged.calls == []
        assert staged.said[-1] == f"the run is finished already; its model is in {staged.output / 'model'}"

    def test_what_is_done_keeps_its_text(self, staged):
        staged.go()
        (staged.output / "teachers" / "seed-4" / "data" / "given.json").write_text('{"text": ["b.en", "b.de"]}')
        with pytest.raises(PipelineError, match=r"keeps its text; .*: a\.en and a\.de, begun with b\.en and b\.de$"):
            staged.go(resume=True)

    def test_a_model_that_has_no_scores_yet_is_not_done(self, staged):
        staged.go()
        made = bundle.load(staged.output)
        unscored = {"config": made.config, "files": {"a": b"1"}, "provenance": {}, "scores": []}
        bundle.write(staged.output / "model", **unscored)
        staged.calls.clear()
        staged.go(resume=True)
        assert [name for name, *_ in staged.calls] == ["teachers", "out"]

    def test_it_goes_on_with_the_stage_that_was_stopped(self, staged):
        staged.go()
        (staged.output / "model" / "manifest.json").unlink()
        (staged.output / "text" / "new" / "train.de").unlink()
        (staged.output / "text" / "new" / "train.en").unlink()
        (staged.output / "text" / "new").rmdir()
        (staged.output / "model" / "a").unlink()
        staged.calls.clear()
        staged.go(resume=True)
        assert [name for name, *_ in staged.calls] == ["teachers", "new", "out"]

    def test_a_draw_that_was_stopped_goes_on_where_it_was(self, staged, monkeypatch):
        wanted, read, stop = Drawer.stream, [], {2: 5}

        def stream(self, lines, *, search):
            for number, translation in enumerate(wanted(self, lines, search=search)):
                if number == stop.get(search.seed):
                    raise KeyboardInterrupt
                read.append((search.seed, translation.source))
                yield translation

        monkeypatch.setattr(Drawer, "stream", stream)
        with pytest.raises(Interrupted, match=rf"Continue with .* --resume, in {staged.output}$"):
            staged.go()
        stop.clear()
        staged.go(resume=True)
        assert read == [(draw, f"train Zeile {n}") for draw in (1, 2, 3, 4) for n in range(20)]
        drawn = (staged.output / "text" / "drawn.en").read_text().splitlines()
        kept = [n for n in range(20) if n % 10 not in (7, 8)]
        assert drawn == [f"train Zeile {n} again {draw}" for draw in (1, 2, 3, 4) for n in kept]

    def test_with_another_number_of_teachers_it_does_not_go_on(self, staged):
        staged.go()
        staged.calls.clear()
        with pytest.raises(PipelineError, match=r"keeps its teachers, --teachers 2\. Received: --teachers 3$"):
            staged.go(3, resume=True)
        assert staged.calls == []

    def test_a_large_corpus_gets_fewer_draws(self, staged, monkeypatch):
        monkeypatch.setattr(teachers, "MOST", 45)
        staged.go()
        assert {line[-1] for line in (staged.output / "text" / "drawn.en").read_text().splitlines()} == {"1", "2"}

    def test_without_a_test_set_none_is_split_off(self, staged):
        staged.go()
        taught = teachers.Taught(Run(staged.output / "teachers" / "seed-4"), {})
        for language in ("en", "de"):
            (taught.run.data / f"test.{language}").unlink()
        assert taught.back().test_source is None
        assert config.build(taught.mirrored()).corpus.test == 0


def test_a_run_has_its_text_where_one_of_its_parts_read_it(tmp_path):
    for folder in ("a", "b/seed-3", "c/teachers/seed-5"):
        (tmp_path / folder).mkdir(parents=True)
        top = tmp_path / folder[0]
        assert not pipeline.has_text(top)
        (tmp_path / folder / "config.yaml").touch()
        assert pipeline.has_text(top)


@pytest.mark.parametrize(
    "flags",
    [
        ["--seeds", "1,2"],
        ["--dry-run"],
        ["--budget", "1h"],
        ["--gpus", "2"],
        ["--init-from", "x"],
        ["--ray-workers", "2"],
    ],
    ids=lambda flags: flags[0],
)
def test_what_teachers_do_not_go_with(tmp_path, capsys, flags):
    argv = ["train", "--source", "a.en", "--target", "a.de", "--output", str(tmp_path / "out"), "--teachers", "2"]
    assert command([*argv, *flags]) == 2
    assert flags[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def compiled_once(monkeypatch):
    """Models of the same sizes share the graph of the first, which takes longer to make than such a model to train."""
    graphs: dict[tuple[tuple[int, ...], ...], bytes] = {}
    original = export.litert

    def once(graph: inference.Inference) -> bytes:
        sizes = tuple(tuple(number.shape) for number in graph.numbers)
        if sizes not in graphs:
            graphs[sizes] = original(graph)
        return graphs[sizes]

    monkeypatch.setattr(export, "litert", once)


@pytest.mark.slow
def test_the_whole_at_a_tiny_size_stopped_and_resumed(tmp_path, capsys, monkeypatch, compiled_once):
    digits = [" ".join(str((n * k) % 10) for k in range(1, 6)) for n in range(300)]
    (tmp_path / "a.en").write_text("".join(f"{line} {n % 7}\n" for n, line in enumerate(digits)))
    (tmp_path / "a.de").write_text("".join(f"{line[::-1]} {n % 7}\n" for n, line in enumerate(digits)))
    settings = ("model.embedding=16", "model.units=16", "model.decoder_layers=1", "training.epochs=1", "corpus.test=10")
    argv = ["train", "--source", str(tmp_path / "a.en"), "--target", str(tmp_path / "a.de"), "--teachers", "2"]
    argv += ["--output", str(tmp_path / "out"), "--no-preflight", *(p for each in settings for p in ("--set", each))]
    ensemble = teachers.release.ensemble

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(teachers.release, "ensemble", killed)
    assert command(argv) == 130
    monkeypatch.setattr(teachers.release, "ensemble", ensemble)
    capsys.readouterr()
    assert command([*argv, "--resume"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'model'}\n"
    made = bundle.load(tmp_path / "out")
    assert made.config.training.moving_average == 0.999
    taught = [bundle.load(tmp_path / "out" / "teachers" / f"seed-{seed}") for seed in (1, 2)]
    assert len({each.digest for each in taught}) == 2
    assert [each.config.model.variational_dropout for each in (*taught, made)] == [False, False, True]
    assert bundle.load(tmp_path / "out" / "back").source_language == "de"
    assert len(bundle.load(tmp_path / "out" / "ensemble").members) == 2
    page = " ".join(made.read("README.md").decode().split())
    text = (tmp_path / "out" / "teachers" / "seed-1" / "data" / "train.en").read_text().count("\n")
    assert "It is the student of 2 models (digest of their ensemble's manifest: " in page
    assert f"most of the {made.provenance['pairs']:,} pairs that it learned from. " in page
    assert f"## Data {text:,} sentence pairs of the one who trained it." in page
    lines = (tmp_path / "out" / "data" / "valid.en").read_text()
    assert lines == (tmp_path / "out" / "teachers" / "seed-1" / "data" / "valid.en").read_text()

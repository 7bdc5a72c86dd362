"""The trace of a random network on every engine: what it says of itself adds up, and changes as it was asked to."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import scripted

from seq2seq import bundle, config, engine
from seq2seq.config import SearchConfig
from seq2seq.engine import Aim, Demands, EngineError, OlderGraphError
from seq2seq.explanation import CELL, Explanation, rank_correlation
from seq2seq.translator import BOOST, MUTE, Terms, TranslationError, Translator

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.slow
ENGINES = ("litert", "tensorflow")
SENTENCES = ("der Hund rot", "das Haus ein Baum gut .", "ja nein 😀 blau")
SEARCH = SearchConfig(beam=4, n_best=3, max_length=9)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bundle.Bundle:
    """A tiny network of two encoder layers with random weights, as a folder for both engines."""
    numpy = pytest.importorskip("safetensors.numpy")
    from seq2seq import inference
    from seq2seq.model import Seq2Seq

    sizes = {"embedding": 7, "units": 6, "encoder_layers": 2, "decoder_layers": 2}
    chosen = config.build({"model": sizes, **scripted.LANGUAGES})
    network, noise = Seq2Seq(chosen.model, len(scripted.tokens())), np.random.default_rng(3)
    arrays = {weight.path: noise.normal(0, 0.7, weight.shape).astype(np.float32) for weight in network.weights}
    arrays["decoder/bias"][engine.EOS] += 4  # some translations end before the limit
    graph = inference.Inference(inference.build(chosen, arrays))
    files = {
        "tokenizer.model": scripted.tokens().model,
        "model.tflite": scripted.convert(graph),
        "weights.safetensors": numpy.save(arrays),
    }
    path = tmp_path_factory.mktemp("random") / "model"
    return bundle.write(path, config=chosen, files=files, provenance={}, scores=[])


@pytest.fixture(scope="module")
def translators(model: bundle.Bundle) -> dict[str, Translator]:
    return {name: Translator.load(model.path, engine=name) for name in ENGINES}


@pytest.fixture(params=ENGINES)
def translator(request: pytest.FixtureRequest, translators: dict[str, Translator]) -> Translator:
    return translators[request.param]


def shown(translator: Translator, text: str, **wanted: object) -> Explanation:
    return translator.explain(text, search=SEARCH, **wanted)  # type: ignore[arg-type]


def test_probabilities_make_the_score_and_attention_rows_sum_to_1(translator: Translator) -> None:
    for text in SENTENCES:
        told = shown(translator, text)
        assert told.translation == translator(text, search=SEARCH).text
        length = len(told.target)
        spoken = length - ("cut" in told.flags)  # the end of a translation that was cut is not in its score
        assert told.log_probs[:spoken].sum() == pytest.approx(told.log_prob, rel=1e-4)
        assert told.score == pytest.approx(told.log_prob / ((5 + spoken) / 6), rel=1e-4)
        np.testing.assert_allclose(told.attention.sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(told.coverage.sum(), length, rtol=1e-5)
        assert [len(five) for five in told.alternatives] == [5] * length
        assert told.search["beam"] == 4
        assert (told.cells, told.beam, told.gradient, told.attention_bias) == (None, None, None, None)


def test_every_cell_obeys_its_equations(translator: Translator) -> None:
    told = shown(translator, SENTENCES[1], cells=True)
    assert told.cells is not None
    read, written = told.cells.encoder, told.cells.decoder
    for layer in range(2):
        backward = read[layer, 1][:, ::-1]
        first = np.zeros((2, 1, 3), np.float32)
        for cell, before in zip((read[layer, 0], backward), first, strict=True):
            obeys(cell, before)
        obeys(written[layer], told.cells.start[:1])


def obeys(cell: np.ndarray, start: np.ndarray) -> None:
    """c = f c_before + i g and h = o tanh(c), from a first cell state on."""
    i, f, g, o, c, h = cell
    np.testing.assert_allclose(c, f * np.concatenate([start, c[:-1]]) + i * g, atol=1e-5)
    np.testing.assert_allclose(h, o * np.tanh(c), atol=1e-5)


def test_cells_are_those_of_keras(model: bundle.Bundle, translator: Translator) -> None:
    from seq2seq import inference

    network = inference.network(model)
    told = shown(translator, SENTENCES[1], cells=True)
    assert told.cells is not None
    ids = [*scripted.tokens().encode(SENTENCES[1]), engine.EOS]
    x = network.encoder.lookup(np.array([ids]))
    forward, backward = network.encoder.pairs[0]
    for number, layer in enumerate((forward, backward)):
        twin = tf.keras.layers.LSTM(3, return_sequences=True, return_state=True, go_backwards=bool(number))
        twin.build((None, None, 7))
        twin.set_weights(layer.get_weights())
        h, _, c = twin(x)
        h = h[:, ::-1] if number else h
        np.testing.assert_allclose(told.cells.encoder[0, number, CELL.index("h")], h[0], atol=1e-5)
        np.testing.assert_allclose(told.cells.encoder[0, number, CELL.index("c"), 0 if number else -1], c[0], atol=1e-5)


def test_both_engines_tell_the_same(translators: dict[str, Translator]) -> None:
    one, other = (shown(translators[name], SENTENCES[2], cells=True, step=1, alternatives=8) for name in ENGINES)
    assert one.cells and other.cells and one.gradient and other.gradient
    assert [len(eight) for eight in one.alternatives] == [8] * len(one.target)
    assert one.gradient.step == 1
    assert one.gradient.decoder[:, :, :2].min() > 0
    for mine, theirs in (
        (one.attention, other.attention),
        (one.log_probs, other.log_probs),
        (one.cells.decoder, other.cells.decoder),
        (one.gradient.encoder, other.gradient.encoder),
        (one.gradient.decoder, other.gradient.decoder),
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_the_last_step_is_meant_unless_another_is_named(translator: Translator) -> None:
    told = shown(translator, SENTENCES[0], cells=True)
    last = shown(translator, SENTENCES[0], step=len(told.target) - 1)
    assert told.gradient and last.gradient
    assert told.gradient.step == last.gradient.step == len(told.target) - 1
    np.testing.assert_array_equal(told.gradient.encoder, last.gradient.encoder)
    with pytest.raises(EngineError, match=r"^A step must be a position of the translation, 0 to \d+\. Received: 99$"):
        shown(translator, SENTENCES[0], step=99)


def test_a_bias_of_0_changes_nothing_to_the_last_bit(translator: Translator) -> None:
    runner = translator._engine
    sources = [scripted.tokens().encode(text) for text in SENTENCES]
    idle = [Demands(attention_bias=(0.0,) * (len(source) + 1)) for source in sources]
    if translator.engine_name.startswith("litert"):
        assert runner.translate(sources, SEARCH, idle) == runner.translate(sources, SEARCH)
    plain, biased = (runner.explain(sources[0], [9, 8], aim) for aim in (Aim(), Aim(attention_bias=(0.0,) * 4)))
    for name in plain:
        np.testing.assert_array_equal(plain[name], biased[name])


def test_muted_words_get_no_attention_and_boosted_ones_more(translator: Translator) -> None:
    text, target = SENTENCES[1], "rot blau"
    usual = shown(translator, text, target=target).attention
    muted = shown(translator, text, target=target, terms=Terms(attend={"Baum": MUTE, 0: MUTE}))
    assert [muted.source[place] for place in np.flatnonzero(muted.attention_bias)] == ["▁das", "▁Baum"]
    assert not muted.attention[:, [0, 3]].any()
    others = [place for place in range(usual.shape[1]) if place not in (0, 3)]
    share = usual[0, others] / usual[0, others].sum()  # of the first step, which no earlier one has changed
    np.testing.assert_allclose(muted.attention[0, others], share, atol=1e-5)
    boosted = shown(translator, text, target=target, terms=Terms(attend={"baum": BOOST})).attention
    odds = [each[0, 3] / (1 - each[0, 3]) for each in (boosted, usual)]
    assert odds[0] == pytest.approx(10 * odds[1], rel=1e-3)
    lost = shown(translator, text, terms=Terms(attend={"Esel": MUTE, 77: MUTE}))
    assert [warning.rpartition(": ")[2] for warning in lost.warnings[-2:]] == [
        "'Esel' is not in the sentence",
        "77 is not in the sentence",
    ]


def test_a_given_translation_has_a_limit(translator: Translator) -> None:
    with pytest.raises(
        EngineError, match=r"A translation that is given must have at most 256 pieces\. Received: \d{3,}$"
    ):
        translator.explain("ja", target="ja " * 300)


def test_the_beam_of_a_long_prefix_has_room_for_it(translator: Translator) -> None:
    told = translator.explain("ja", terms=Terms(prefix="der Hund die Katze das Haus ein Baum " * 3), beam=True)
    assert told.beam is not None and len(told.target) > 16
    best, said = next(node for node in told.beam if node.hypothesis == 1), []
    while best.parent is not None:
        said.append(best.piece)
        best = told.beam[best.parent]
    assert tuple(said[::-1]) == told.target[: len(said)]
    assert len(said) >= len(told.target) - 1


def test_muting_reaches_the_search(translator: Translator) -> None:
    terms = Terms(attend={"Hund": MUTE})
    told = shown(translator, SENTENCES[0], terms=terms)
    assert told.translation == translator(SENTENCES[0], search=SEARCH, terms=terms).text
    assert told.log_probs.sum() == pytest.approx(told.log_prob, rel=1e-4)
    assert told.log_prob != pytest.approx(shown(translator, SENTENCES[0]).log_prob, rel=1e-4)


@pytest.mark.parametrize(
    "search",
    [SEARCH, SearchConfig(beam=3, n_best=3, length_penalty=0.2, coverage_penalty=0.4, word_reward=0.3, max_length=12)],
)
def test_the_beam_is_a_tree_whose_best_finished_leaf_is_the_translation(
    translator: Translator, search: SearchConfig
) -> None:
    for text in SENTENCES:
        told = translator.explain(text, search=search, beam=True)
        assert told.beam is not None
        children = {node.id: [each for each in told.beam if each.parent == node.id] for node in told.beam}
        assert [node.id for node in told.beam] == list(range(len(told.beam)))
        for node in told.beam[1:]:
            assert node.parent is not None
            parent = told.beam[node.parent]
            assert node.parent < node.id
            assert node.step == parent.step + 1
            assert node.cumulative == pytest.approx(parent.cumulative + node.log_prob, abs=1e-5)
            assert bool(children[node.id]) == (node.state == "alive" and node.hypothesis is None)
            assert (node.state == "finished") == (node.piece == "</s>" and node.hypothesis is not None)
        for step, nodes in itertools.groupby(sorted(told.beam, key=lambda node: node.step), lambda node: node.step):
            level = sorted(nodes, key=lambda node: node.rank)
            assert [node.rank for node in level] == list(range(1, len(level) + 1))
            assert [node.cumulative for node in level] == sorted((node.cumulative for node in level), reverse=True)
            assert step == 0 or len(level) <= search.beam
        best = next(node for node in told.beam if node.hypothesis == 1)
        assert best.normalised == pytest.approx(told.score, abs=1e-4)
        assert best.cumulative == pytest.approx(told.log_prob, abs=1e-4)
        if best.state == "finished":
            assert best == max(
                (node for node in told.beam if node.state == "finished"), key=lambda node: node.normalised
            )
        said = []
        while best.parent is not None:
            said.append(best.piece)
            best = told.beam[best.parent]
        assert tuple(said[::-1]) == told.target[: len(said)]


def test_a_translation_that_is_given_is_explained_and_scored(translator: Translator) -> None:
    text, target = SENTENCES[0], "rot  Hund."
    told = shown(translator, text, target=target, beam=True)
    assert (told.forced, told.translation, told.beam) == (True, target, None)
    [score] = translator.score([text], [target], search=SEARCH)
    assert told.score == pytest.approx(score.score, rel=1e-4)
    assert told.log_prob == pytest.approx(score.log_prob, rel=1e-4)
    assert told.target == score.pieces
    assert [target[start:end] for start, end in told.target_spans] == ["rot", "  Hund", ".", ""]


def test_forced_text_begins_the_output_and_an_alternative_can_be_used_instead(translator: Translator) -> None:
    told = shown(translator, SENTENCES[1], alternatives=1000)
    assert len(told.alternatives[0]) == len(scripted.tokens())
    piece = next(piece for piece, _ in told.alternatives[0][1:] if piece.startswith("▁") and len(piece) > 2)
    prefix = told.instead(0, piece)
    assert prefix == piece[1:]
    other = shown(translator, SENTENCES[1], terms=Terms(prefix=prefix))
    assert other.translation.startswith(prefix)
    assert other.target[0] == piece


def test_influence_is_what_hiding_a_piece_costs(model: bundle.Bundle, translator: Translator) -> None:
    from seq2seq import inference

    text, target = SENTENCES[0], "rot blau gut"
    found = translator.influence(text, target=target, search=SEARCH)
    assert (found.method, found.engine) == ("occlusion", translator.engine_name)
    assert found.values.shape == (len(found.target), len(found.source)) == (4, 4)
    graph = inference.Inference(inference.network(model))
    source, said = ([*scripted.tokens().encode(each), engine.EOS] for each in (text, target))
    present = np.ones((2, 4), np.float32)
    present[1, 1] = 0.0
    memory, state = graph.model.encode(np.array([source] * 2), present=tf.constant(present))
    logits = graph.model.decode(np.array([[2, *said[:-1]]] * 2), state, memory).logits
    log_probs = tf.nn.log_softmax(logits).numpy()[:, range(4), said]
    np.testing.assert_allclose(found.values[:, 1], log_probs[0] - log_probs[1], atol=1e-4)
    attention = shown(translator, text, target=target).attention
    np.testing.assert_array_equal(found.correlation, rank_correlation(np.abs(found.values), attention))
    muted = translator.influence(text, target=target, terms=Terms(attend={"Hund": MUTE}))
    assert not np.allclose(muted.values, found.values, atol=1e-4)


def test_saliency_is_the_slope_of_hiding_a_little(translators: dict[str, Translator]) -> None:
    text, target = SENTENCES[0], "rot blau gut"
    terms = Terms(attend={2: BOOST})
    found = translators["litert"].saliency(text, target=target, terms=terms)  # which asks another engine
    assert (found.method, found.engine) == ("gradient", "tensorflow-float32")
    network = translators["tensorflow"]._engine._graph._inference.model
    source, said = ([*scripted.tokens().encode(each), engine.EOS] for each in (text, target))
    present = np.ones((2, 4), np.float32)
    present[:, 1] += (0.005, -0.005)
    bias = np.zeros((2, 4), np.float32)
    bias[:, 2] = BOOST
    memory, state = network.encode(np.array([source] * 2), present=tf.constant(present), bias=tf.constant(bias))
    logits = network.decode(np.array([[2, *said[:-1]]] * 2), state, memory).logits
    log_probs = tf.nn.log_softmax(logits).numpy()[:, range(4), said]
    np.testing.assert_allclose(found.values[:, 1], (log_probs[0] - log_probs[1]) / 0.01, atol=2e-3)


def test_saliency_in_several_passes_is_the_same(
    translators: dict[str, Translator], monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq import inference

    asked: list[int] = []
    runner = translators["tensorflow"]._engine._graph  # type: ignore[attr-defined]
    once = translators["tensorflow"].saliency(SENTENCES[0], target="rot blau gut").values
    monkeypatch.setattr(inference, "TOGETHER", 8)
    whole = runner._inference.saliency
    monkeypatch.setattr(
        runner._inference, "saliency", lambda *pair: asked.append(len(pair[-1])) or whole(*pair), raising=True
    )
    parts = translators["tensorflow"].saliency(SENTENCES[0], target="rot blau gut").values
    assert asked == [2, 2]  # of four pieces each time all four
    np.testing.assert_allclose(parts, once, atol=1e-6)


def test_saliency_needs_weights() -> None:
    alone = Translator(object(), scripted.tokens(), scripted.tokens(), config=config.Config())  # type: ignore[arg-type]
    with pytest.raises(
        EngineError, match=r"^Gradients need a model folder with its weights\. Received: an engine alone$"
    ):
        alone.saliency("ja", target="ja")


def test_no_alternatives_are_refused(translator: Translator) -> None:
    with pytest.raises(TranslationError, match=r"^Alternatives must be at least 1\. Received: 0$"):
        translator.explain("ja", alternatives=0)


def test_json_holds_everything(translators: dict[str, Translator]) -> None:
    import dataclasses

    translator = translators["litert"]
    told = shown(translator, SENTENCES[2], cells=True, beam=True, terms=Terms(attend={"blau": BOOST}))
    told = dataclasses.replace(told, influence=translator.influence(SENTENCES[2]))
    assert Explanation.from_json(told.to_json()).to_json() == told.to_json()


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return Translator.load(scripted.write(tmp_path_factory.mktemp("older") / "model", older=True))


class TestOlderGraph:
    """A graph from before some inputs and signatures existed."""

    def test_it_does_what_it_can(self, older: Translator, tmp_path: Path) -> None:
        newer = Translator.load(scripted.write(tmp_path / "model"))
        for terms in (None, Terms(forbidden=("Hund",))):
            assert older("der Hund rot", terms=terms) == newer("der Hund rot", terms=terms)
        assert older.score(["der Hund"], ["Hund der"]) == newer.score(["der Hund"], ["Hund der"])
        told = older.explain("der Hund rot", cells=True, beam=True)
        assert told.cells is not None
        assert told.cells.encoder.shape == (1, 2, len(CELL), 4, 1)
        assert told.beam is not None
        assert told.gradient is None
        assert told.warnings[-1].endswith("can be made again: seq2seq export MODEL --format model")

    @pytest.mark.parametrize(
        ("purpose", "name", "ask"),
        [
            ("give other than 5 alternatives", "k", lambda older: older.explain("ja", alternatives=6)),
            (
                "mute and boost source pieces",
                "attention_bias",
                lambda older: older("ja", terms=Terms(attend={0: MUTE})),
            ),
            ("hide source pieces", "present", lambda older: older.influence("ja")),
        ],
    )
    def test_it_says_what_it_cannot(self, older: Translator, purpose: str, name: str, ask) -> None:
        with pytest.raises(OlderGraphError) as caught:
            ask(older)
        assert str(caught.value) == (
            f"To {purpose}, an older model must be made again: seq2seq export MODEL --format model. "
            f"Received: a graph without {name}"
        )


def test_a_model_made_again_says_the_same_and_can_do_all(model: bundle.Bundle, tmp_path: Path) -> None:
    from seq2seq import export

    again = export.export(model, "model", tmp_path / "again")
    made = bundle.load(again)
    kept = {name: file for name, file in model.files.items() if name != "model.tflite"}
    renewed = ("model.tflite", "certificate.json")
    assert {name: file for name, file in made.files.items() if name not in renewed} == kept
    assert (made.config, made.provenance, made.scores) == (model.config, model.provenance, model.scores)
    translator = Translator.load(again)
    assert translator.engine_name == "litert-int8"
    told = shown(translator, SENTENCES[0], cells=True, alternatives=6, terms=Terms(attend={"Hund": MUTE}))
    assert told.gradient is not None
    assert translator.influence(SENTENCES[0]).values.any()

"""Beam search with scripted models: what it must find is known beforehand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from seq2seq import search  # noqa: E402
from seq2seq.search import BOS, EOS, PAD, Options, Step  # noqa: E402

V, S = 6, 3
FREE = (EOS, 4, 5)


def options(beam=3, limit=(5, 5), alpha=0.0, beta=0.0, gamma=0.0, n_best=None, **more) -> Options:
    """`n_best` as many as the beam unless said otherwise: all of them are looked at."""
    whole = (tf.constant(beam), tf.constant(n_best or beam))
    return Options(tf.constant(limit), *whole, *(tf.constant(float(x)) for x in (alpha, gamma, beta)), **more)


def demands(rows, *, shortest=0, prefix=(), forbidden=(), required=(), no_repeat=0) -> search.Constraints:
    """The same for every row."""

    def block(phrases, left):
        width = max(2, *map(len, phrases)) if phrases else 2
        padded = [
            [*[PAD] * (width - len(each)) * left, *each, *[PAD] * (width - len(each)) * (1 - left)] for each in phrases
        ]
        return tf.constant([padded or [[PAD] * width]] * rows, tf.int32)

    return search.Constraints(
        min_length=tf.fill([rows], shortest),
        prefix=tf.constant([list(prefix) or [PAD]] * rows, tf.int32),
        forbidden=block(forbidden, 1),
        required=block(required, 0),
        no_repeat=tf.constant(no_repeat),
    )


def find(step, state, mask, wanted):
    """The search as everybody runs it: compiled."""
    return tf.function(lambda: search.beam_search(step, state, mask, wanted))()


def markov(logits):
    """A model whose next piece depends on its row and the last piece alone: (B, V, V) of scores."""
    table = tf.constant(logits, tf.float32)
    rows = table.shape[0]

    def step(tokens, state):
        said = tf.gather_nd(table, tf.stack([state["row"], tokens], axis=-1))
        return Step(said, tf.ones((tf.size(tokens), S)) / S, {"row": state["row"]})

    return step, {"row": tf.range(rows)}, tf.ones((rows, S), tf.bool)


def random_model(seed, rows=2, scale=2.0):
    return np.random.default_rng(seed).normal(scale=scale, size=(rows, V, V)).astype("float32")


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def every_sentence(limit):
    """All that can be said in at most `limit` pieces: ended ones, and unended ones of full length."""
    for length in range(limit):
        for words in itertools.product((4, 5), repeat=length):
            yield (*words, EOS)
    yield from itertools.product((4, 5), repeat=limit)


def score(table, sentence, alpha=0.0):
    steps = zip((BOS, *sentence), sentence, strict=False)
    total = sum(log_softmax(table)[before, piece] for before, piece in steps)
    return total / ((5 + len(sentence)) / 6) ** alpha


def said(found, row, place=0):
    return tuple(found.tokens.numpy()[row, place][: found.lengths.numpy()[row, place]].tolist())


@pytest.mark.parametrize("seed", range(5))
def test_beam_of_one_is_the_arg_max(seed):
    table = random_model(seed)
    found = find(*markov(table), options(beam=1))
    for row in range(2):
        last, sentence = BOS, []
        while len(sentence) < 5 and last != EOS:
            last = max(FREE, key=lambda piece, last=last: table[row, last, piece])
            sentence.append(last)
        assert said(found, row) == tuple(sentence)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_is_brute_force(seed, alpha):
    table = random_model(seed)
    found = find(*markov(table), options(beam=40, limit=(4, 4), alpha=alpha))
    for row in range(2):
        ranked = sorted((score(table[row], words, alpha) for words in every_sentence(4)), reverse=True)
        np.testing.assert_allclose(found.scores[row, :8], ranked[:8], atol=1e-4)
        assert score(table[row], said(found, row), alpha) == pytest.approx(ranked[0], abs=1e-4)
        assert len({said(found, row, place) for place in range(8)}) == 8


def test_the_score_is_the_sum_of_the_log_probabilities():
    table = random_model(7)
    found = find(*markov(table), options(alpha=1.0))
    for row, place in itertools.product(range(2), range(3)):
        sentence = said(found, row, place)
        assert found.log_probs[row, place].numpy() == pytest.approx(score(table[row], sentence), abs=1e-4)
        assert found.scores[row, place].numpy() == pytest.approx(score(table[row], sentence, 1.0), abs=1e-4)


def test_finished_hypotheses_never_change():
    found = find(*markov(random_model(3)), options(beam=4, limit=(8, 8)))
    tokens, parents, log_probs = (each.numpy() for each in found.record)
    ended = {}
    for t, row, place in itertools.product(range(8), range(2), range(4)):
        parent = parents[t, row, place]
        before = ended.get((t - 1, row, parent))
        if before is not None and tokens[t, row, place] == PAD:
            assert log_probs[t, row, place] == before
        assert before is None or tokens[t, row, place] == PAD
        if tokens[t, row, place] == EOS or before is not None:
            ended[t, row, place] = log_probs[t, row, place]
    assert ended


def test_the_record_replays_the_beam():
    found = find(*markov(random_model(5)), options(beam=3))
    tokens, parents = found.record.tokens.numpy(), found.record.parents.numpy()
    spelt = set()
    for place in range(3):
        words, at = [], place
        for t in reversed(range(5)):
            words.append(tokens[t, 0, at])
            at = parents[t, 0, at]
        spelt.add(tuple(word for word in reversed(words) if word != PAD))
    assert spelt == {said(found, 0, place) for place in range(3)}


def test_company_and_other_limits_change_nothing():
    table = random_model(11)
    both = find(*markov(table), options(limit=(3, 9)))
    for row, limit in enumerate((3, 9)):
        alone = find(*markov(table[row : row + 1]), options(limit=(limit,)))
        for place in range(3):
            assert said(alone, 0, place) == said(both, row, place)
            assert alone.scores[0, place].numpy() == both.scores[row, place].numpy()


def test_limits_are_kept_and_what_they_cut_is_said():
    never_ends = np.zeros((1, V, V), np.float32)
    never_ends[:, :, EOS] = -50
    cut = find(*markov(never_ends), options(beam=2, limit=(4,)))
    assert cut.lengths.numpy().tolist() == [[4, 4]]
    assert cut.finished.numpy().tolist() == [[0, 0]]
    ends_at_once = np.zeros((1, V, V), np.float32)
    ends_at_once[:, :, EOS] = 50
    found = find(*markov(ends_at_once), options(beam=1, limit=(9,), constraints=demands(1, shortest=3)))
    assert found.lengths.numpy().tolist() == [[4]]
    assert found.finished.numpy().tolist() == [[1]]


def test_specials_are_never_said():
    tempting = np.zeros((1, V, V), np.float32)
    tempting[:, :, :EOS] = 9.0
    found = find(*markov(tempting), options(beam=3, limit=(5,)))
    assert set(np.unique(found.tokens)) <= {PAD, *FREE}
    for place in range(3):
        assert PAD not in said(found, 0, place)


def test_length_penalty_prefers_the_longer():
    table = np.full((1, V, V), -30.0, np.float32)
    table[0, BOS, [EOS, 4]] = np.log([0.55, 0.45])
    table[0, 4, 5] = table[0, 5, EOS] = 0.0
    plain = find(*markov(table), options(beam=3, limit=(5,)))
    longer = find(*markov(table), options(beam=3, limit=(5,), alpha=1.5))
    assert said(plain, 0) == (EOS,)
    assert said(longer, 0) == (4, 5, EOS)


def test_coverage_penalty_prefers_what_looked_everywhere():
    """Piece 4 looks at the first source position only, piece 5 at a new one at each step."""
    table = np.full((1, V, V), -30.0, np.float32)
    table[0, BOS, [4, 5]] = np.log([0.6, 0.4])
    table[0, 4, 4] = table[0, 5, 5] = 0.0

    def step(tokens, state):
        looked = tf.where(tf.equal(tokens, 4), 0, state["t"])
        logits = tf.gather_nd(tf.constant(table), tf.stack([tf.zeros_like(tokens), tokens], axis=-1))
        return Step(logits, tf.one_hot(looked, S), {"t": state["t"] + 1})

    def best(beta):
        start = {"t": tf.zeros(1, tf.int32)}
        return said(find(step, start, tf.ones((1, S), tf.bool), options(2, (3,), beta=beta)), 0)

    assert best(0.0) == (4, 4, 4)
    assert best(1.0) == (5, 5, 5)


def test_coverage_ignores_padding():
    step, state, _ = markov(random_model(2, rows=1))
    mask = tf.constant([[True, False, False]])
    found = find(
        lambda tokens, state: step(tokens, state)._replace(attention=tf.one_hot(tf.zeros_like(tokens), S)),
        state,
        mask,
        options(limit=(5,), beta=1.0),
    )
    np.testing.assert_allclose(found.scores, found.log_probs, atol=1e-5)

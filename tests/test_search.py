"""Beam search with scripted models: what it must find is known beforehand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from seq2seq import search  # noqa: E402
from seq2seq.search import BOS, EOS, PAD, Options, Step  # noqa: E402
from seq2seq.search import constraints as rules  # noqa: E402

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


def markov(table):
    """A model whose next piece depends on its row and the last piece alone: (B, V, V) of scores."""
    rows = table.shape[0]

    def step(tokens, state, _):
        said = tf.gather_nd(table, tf.stack([state["row"], tokens], axis=-1))
        return Step(said, tf.ones((tf.size(tokens), S)) / S, {"row": state["row"]})

    return step, search.Sources({"row": tf.range(rows)}, (), tf.ones((rows, S), tf.bool))


@tf.function(autograph=False)
def searched(table, wanted):
    return search.beam_search(*markov(table), wanted)


def find(table, wanted):
    """The search over a Markov model, compiled once for each shape."""
    return searched(tf.constant(table, tf.float32), wanted)


def find_with(step, state, mask, wanted):
    """The search over any other model."""
    return tf.function(lambda: search.beam_search(step, search.Sources(state, (), mask), wanted), autograph=False)()


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
    found = find(table, options(beam=1))
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
    found = find(table, options(beam=40, limit=(4, 4), alpha=alpha))
    for row in range(2):
        ranked = sorted((score(table[row], words, alpha) for words in every_sentence(4)), reverse=True)
        np.testing.assert_allclose(found.scores[row, :8], ranked[:8], atol=1e-4)
        assert score(table[row], said(found, row), alpha) == pytest.approx(ranked[0], abs=1e-4)
        assert len({said(found, row, place) for place in range(8)}) == 8


def test_the_score_is_the_sum_of_the_log_probabilities():
    table = random_model(7)
    found = find(table, options(alpha=1.0))
    for row, place in itertools.product(range(2), range(3)):
        sentence = said(found, row, place)
        assert found.log_probs[row, place].numpy() == pytest.approx(score(table[row], sentence), abs=1e-4)
        assert found.scores[row, place].numpy() == pytest.approx(score(table[row], sentence, 1.0), abs=1e-4)


def test_finished_hypotheses_never_change():
    found = find(random_model(3), options(beam=4, limit=(8, 8)))
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
    found = find(random_model(5), options(beam=3))
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
    both = find(table, options(limit=(3, 9)))
    for row, limit in enumerate((3, 9)):
        alone = find(table[row : row + 1], options(limit=(limit,)))
        for place in range(3):
            assert said(alone, 0, place) == said(both, row, place)
            assert alone.scores[0, place].numpy() == both.scores[row, place].numpy()


def test_limits_are_kept_and_what_they_cut_is_said():
    never_ends = np.zeros((1, V, V), np.float32)
    never_ends[:, :, EOS] = -50
    cut = find(never_ends, options(beam=2, limit=(4,)))
    assert cut.lengths.numpy().tolist() == [[4, 4]]
    assert cut.finished.numpy().tolist() == [[0, 0]]
    ends_at_once = np.zeros((1, V, V), np.float32)
    ends_at_once[:, :, EOS] = 50
    found = find(ends_at_once, options(beam=1, limit=(9,), constraints=demands(1, shortest=3)))
    assert found.lengths.numpy().tolist() == [[4]]
    assert found.finished.numpy().tolist() == [[1]]


def test_specials_are_never_said():
    tempting = np.zeros((1, V, V), np.float32)
    tempting[:, :, :EOS] = 9.0
    found = find(tempting, options(beam=3, limit=(5,)))
    assert set(np.unique(found.tokens)) <= {PAD, *FREE}
    for place in range(3):
        assert PAD not in said(found, 0, place)


def test_length_penalty_prefers_the_longer():
    table = np.full((1, V, V), -30.0, np.float32)
    table[0, BOS, [EOS, 4]] = np.log([0.55, 0.45])
    table[0, 4, 5] = table[0, 5, EOS] = 0.0
    plain = find(table, options(beam=3, limit=(5,)))
    longer = find(table, options(beam=3, limit=(5,), alpha=1.5))
    assert said(plain, 0) == (EOS,)
    assert said(longer, 0) == (4, 5, EOS)


def test_coverage_penalty_prefers_what_looked_everywhere():
    """Piece 4 looks at the first source position only, piece 5 at a new one at each step."""
    table = np.full((1, V, V), -30.0, np.float32)
    table[0, BOS, [4, 5]] = np.log([0.6, 0.4])
    table[0, 4, 4] = table[0, 5, 5] = 0.0

    def step(tokens, state, _):
        looked = tf.where(tf.equal(tokens, 4), 0, state["t"])
        logits = tf.gather_nd(tf.constant(table), tf.stack([tf.zeros_like(tokens), tokens], axis=-1))
        return Step(logits, tf.one_hot(looked, S), {"t": state["t"] + 1})

    def best(beta):
        start = {"t": tf.zeros(1, tf.int32)}
        return said(find_with(step, start, tf.ones((1, S), tf.bool), options(2, (3,), beta=beta)), 0)

    assert best(0.0) == (4, 4, 4)
    assert best(1.0) == (5, 5, 5)


def test_a_row_that_stops_early_changes_nothing_for_the_others_or_itself():
    """Rows of very different length, in every order: waves of every size, each row as if it were alone."""
    tables = random_model(11, rows=5, scale=3.0)
    tables[:, :, EOS] += np.array([9.0, -9.0, 0.0, 3.0, -3.0])[:, None]  # from at once to never
    limits = (9, 9, 9, 4, 7)
    alone = [find(tables[[row]], options(limit=limits[row : row + 1], alpha=1.0)) for row in range(5)]
    for order in ([0, 1, 2, 3, 4], [4, 0, 3, 1, 2], [1, 1, 0, 0, 2]):
        found = find(tables[order], options(limit=[limits[row] for row in order], alpha=1.0))
        for place, row in enumerate(order):
            for beam in range(3):
                assert said(found, place, beam) == said(alone[row], 0, beam)
            np.testing.assert_allclose(found.scores[place], alone[row].scores[0], atol=1e-5)
            steps = limits[row]
            for ours, lone in zip(found.record, alone[row].record, strict=True):
                np.testing.assert_allclose(ours[:steps, place], lone[:, 0], atol=1e-5)
    assert len({said(each, 0) for each in alone}) > 2


def test_coverage_ignores_padding():
    step, sources = markov(tf.constant(random_model(2, rows=1)))
    mask = tf.constant([[True, False, False]])
    found = find_with(
        lambda tokens, state, _: step(tokens, state, _)._replace(attention=tf.one_hot(tf.zeros_like(tokens), S)),
        sources.state,
        mask,
        options(limit=(5,), beta=1.0),
    )
    np.testing.assert_allclose(found.scores, found.log_probs, atol=1e-5)


class TestConstraints:
    """What may be said is checked against all sentences that may be, ranked by brute force."""

    def best(self, table, limit, allowed):
        ranked = sorted(
            ((score(table, words), words) for words in every_sentence(limit) if allowed(words)), reverse=True
        )
        return ranked[0][1]

    @pytest.mark.parametrize("seed", range(4))
    def test_what_a_wide_beam_finds_is_the_best_that_is_allowed(self, seed):
        table = random_model(seed, rows=1)
        rules = {
            "prefix": (demands(1, prefix=(5, 4)), lambda words: words[:2] == (5, 4)),
            "piece": (demands(1, forbidden=[(4,)]), lambda words: 4 not in words),
            "phrase": (
                demands(1, forbidden=[(4, 5), (5, 5)]),
                lambda words: not {(4, 5), (5, 5)} & set(itertools.pairwise(words)),
            ),
            "repeat": (demands(1, no_repeat=2), lambda words: len(set(itertools.pairwise(words))) == len(words) - 1),
            "shortest": (demands(1, shortest=3), lambda words: len(words) > 3 or words[-1] != EOS),
        }
        for name, (wanted, allowed) in rules.items():
            found = find(table, options(beam=40, limit=(4,), constraints=wanted))
            assert said(found, 0) == self.best(table[0], 4, allowed), name

    @pytest.mark.parametrize("seed", range(6))
    def test_what_is_required_is_said_before_the_end(self, seed):
        table = random_model(seed, rows=1, scale=4.0)
        wanted = demands(1, required=[(4, 5), (5, 5)])
        found = find(table, options(beam=12, limit=(9,), constraints=wanted))
        words = said(found, 0)
        assert {(4, 5), (5, 5)} <= set(itertools.pairwise(words))
        plain = find(table, options(beam=12, limit=(9,), constraints=demands(1)))
        assert found.log_probs[0, 0] <= plain.log_probs[0, 0] + 1e-4

    def test_a_phrase_that_begins_with_itself_is_seen(self):
        wanted = demands(1, prefix=(5, 5, 5, 4), required=[(5, 5, 4)])
        found = find(random_model(1, rows=1), options(beam=6, limit=(9,), constraints=wanted))
        assert said(found, 0)[:4] == (5, 5, 5, 4) and found.finished[0, 0] == 1
        free = find(random_model(1, rows=1), options(beam=6, limit=(9,), constraints=demands(1, prefix=(5, 5, 5, 4))))
        assert said(found, 0) == said(free, 0)  # it need not be said once more

    @pytest.mark.parametrize("seed", range(4))
    def test_what_is_met_is_the_longest_beginning_that_was_just_said(self, seed):
        draw = np.random.default_rng(seed)
        phrases = [(4, 4, 5), (5, 4, 5, 4, 4), (4,)]
        wanted = demands(2, required=phrases)
        rows = tf.constant([0, 0, 1])
        past = rules.first(wanted, tf.constant(12), rows)
        spoken = np.zeros((3, 0), np.int64)
        for _ in range(12):
            met = rules.after(past, tf.constant([[4, 5]] * 3), rows, wanted).numpy()
            for place, piece in itertools.product(range(3), (4, 5)):
                words = (*spoken[place], piece)
                for number, phrase in enumerate(phrases):
                    ends = [n for n in range(len(phrase) + 1) if words[len(words) - n :] == phrase[:n]]
                    done = any(words[at : at + len(phrase)] == phrase for at in range(len(words)))
                    assert met[place, piece - 4, number] == (len(phrase) if done else max(ends))
            chosen = draw.integers(4, 6, 3)
            spoken = np.concatenate([spoken, chosen[:, None]], axis=1)
            said_now = tf.concat([past.said[:, 1:], tf.constant(chosen[:, None], tf.int32)], axis=1)
            past = rules.Past(said_now, tf.constant(met[np.arange(3), chosen - 4]))

    def test_a_narrow_beam_meets_what_is_improbable(self):
        table = np.full((1, V, V), -3.0, np.float32)
        table[0, BOS, 4] = table[0, 4, 4] = 9.0  # it would say 4 for ever
        table[0, 4, EOS] = 8.0
        wanted = demands(1, required=[(5, 5)])
        assert (5, 5) in itertools.pairwise(said(find(table, options(beam=4, limit=(8,), constraints=wanted)), 0))

    def test_without_demands_it_is_the_plain_search_to_the_last_bit(self):
        table = random_model(8)
        plain = find(table, options(beam=4, alpha=1.0))
        same = find(table, options(beam=4, alpha=1.0, constraints=demands(2), sampling=chance(2, 4)))
        for name in ("tokens", "lengths", "scores", "log_probs", "finished", "coverage"):
            assert np.array_equal(getattr(plain, name), getattr(same, name)), name

    def test_a_forced_end_scores_a_given_sentence(self):
        table = random_model(9, rows=1)
        given = (4, 5, 5, EOS)
        found = find(table, options(beam=1, limit=(4,), constraints=demands(1, prefix=given)))
        assert said(found, 0) == given
        steps = np.diff(found.record.log_probs.numpy()[:, 0, 0], prepend=0.0)
        expected = [log_softmax(table[0])[before, piece] for before, piece in itertools.pairwise((BOS, *given))]
        np.testing.assert_allclose(steps, expected, atol=1e-5)


def chance(rows, beam, temperature=0.0, top_k=0, top_p=1.0, diversity=0.0, seed=1):
    drawn = np.random.default_rng(seed).random((5, rows * beam), np.float32)
    scalars = (tf.constant(temperature), tf.constant(top_k), tf.constant(top_p), tf.constant(diversity))
    return search.Sampling(*scalars, tf.constant(drawn))


class TestSampling:
    def shares(self, logits, **settings):
        """How often each first piece is drawn from these scores of EOS, 4 and 5, in 3,000 draws."""
        table = np.zeros((1, V, V), np.float32)
        table[0, :, EOS:] = logits
        wanted = options(beam=3000, limit=(1,), constraints=demands(1), sampling=chance(1, 3000, **settings))
        first = find(table, wanted).tokens.numpy()[0, :, 0]
        return [float(np.mean(first == piece)) for piece in FREE]

    def test_pieces_are_drawn_by_their_probability(self):
        probabilities = np.array([0.5, 0.2, 0.3])
        assert self.shares(np.log(probabilities), temperature=1.0) == pytest.approx(probabilities, abs=0.03)
        warm = probabilities**0.5 / (probabilities**0.5).sum()
        assert self.shares(np.log(probabilities), temperature=2.0) == pytest.approx(warm, abs=0.03)

    def test_top_k_and_top_p_leave_out_the_tail(self):
        logits = np.log([0.5, 0.2, 0.3])
        assert self.shares(logits, temperature=1.0, top_k=2) == pytest.approx([0.625, 0.0, 0.375], abs=0.03)
        assert self.shares(logits, temperature=1.0, top_p=0.6) == pytest.approx([0.625, 0.0, 0.375], abs=0.03)
        assert self.shares(logits, temperature=1.0, top_p=0.4) == [1.0, 0.0, 0.0]

    def test_the_log_probability_is_the_models_whatever_the_temperature(self):
        table = random_model(4, rows=1)
        wanted = options(beam=4, limit=(5,), constraints=demands(1), sampling=chance(1, 4, temperature=3.0))
        found = find(table, wanted)
        for place in range(4):
            assert found.log_probs[0, place].numpy() == pytest.approx(score(table[0], said(found, 0, place)), abs=1e-4)

    def test_diversity_spreads_the_beam(self):
        table = np.full((1, V, V), -30.0, np.float32)
        table[0, BOS, [4, 5]] = np.log([0.6, 0.4])
        table[0, 4, [4, 5, EOS]] = np.log([0.34, 0.33, 0.33])
        table[0, 5, [4, 5, EOS]] = np.log([0.34, 0.33, 0.33])

        def firsts(diversity):
            spread = chance(1, 3, diversity=diversity)
            found = find(table, options(beam=3, limit=(2,), constraints=demands(1), sampling=spread))
            return {said(found, 0, place)[0] for place in range(3)}

        assert firsts(0.0) == {4}
        assert firsts(1.0) == {4, 5}


class TestStop:
    """A row that stops early must not lose: the best is at least that of a loop that goes on."""

    @pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
    @pytest.mark.parametrize("gamma", [-0.3, 0.0, 0.2])
    def test_the_best_is_never_worse_than_without_a_stop(self, alpha, gamma):
        sooner = 0
        for seed in range(12):
            table = random_model(seed, rows=1, scale=3.0)
            early = find(table, options(beam=4, n_best=1, limit=(12,), alpha=alpha, gamma=gamma))
            late = find(table, options(beam=4, n_best=4, limit=(12,), alpha=alpha, gamma=gamma))
            assert early.scores[0, 0] >= late.scores[0, 0] - 1e-5
            sooner += np.count_nonzero(early.record.tokens) < np.count_nonzero(late.record.tokens)
        assert sooner, "no row stopped early: the test shows nothing"

    @pytest.mark.parametrize("gamma", [-1.0, -3.0])
    def test_a_negative_reward_ends_with_what_has_ended(self, gamma):
        sooner = 0
        for seed in range(12):
            table = random_model(seed, rows=1, scale=3.0)
            early = find(table, options(beam=4, n_best=1, limit=(12,), alpha=0.0, gamma=gamma))
            late = find(table, options(beam=4, n_best=4, limit=(12,), alpha=0.0, gamma=gamma))
            assert early.finished[0, 0] == 1 and early.scores[0, 0] >= late.scores[0, 0] - 1e-5
            sooner += np.count_nonzero(early.record.tokens) < np.count_nonzero(late.record.tokens)
        assert sooner

    def test_the_word_reward_prefers_the_longer(self):
        table = np.full((1, V, V), -30.0, np.float32)
        table[0, BOS, [EOS, 4]] = np.log([0.55, 0.45])
        table[0, 4, 5] = table[0, 5, EOS] = 0.0
        assert said(find(table, options(beam=3, limit=(5,))), 0) == (EOS,)
        rewarded = find(table, options(beam=3, limit=(5,), gamma=0.5))
        assert said(rewarded, 0) == (4, 5, EOS)
        assert rewarded.scores[0, 0].numpy() == pytest.approx(np.log(0.45) + 1.5, abs=1e-4)


def test_phrases_that_begin_alike_put_nothing_in_the_beam_twice():
    for seed in range(6):
        wanted = demands(1, required=[(5, 4), (5, 5)])
        found = find(random_model(seed, rows=1, scale=6.0), options(beam=4, limit=(8,), constraints=wanted))
        all_said = [said(found, 0, place) for place in range(4)]
        assert len(set(all_said)) == 4, all_said


@pytest.mark.parametrize("vocabulary", [31, 1024, 4000, 8000])
def test_the_quick_top_is_the_top(vocabulary):
    from seq2seq.search.state import top

    x = np.random.default_rng(vocabulary).normal(size=(7, vocabulary)).astype("float32")
    for count in (1, 6, 23):
        values, places, total = top(tf.constant(x), tf.constant(count))
        order = np.argsort(-x, axis=1)[:, :count]
        assert np.array_equal(places, order)
        assert np.array_equal(values, np.take_along_axis(x, order, 1))
        np.testing.assert_allclose(total[:, 0], np.log(np.exp(x).sum(1)), rtol=1e-5)

"""Writes the sample corpus with a small grammar of English and German: `python data/generate.py`.

It owns which sentences are drawn; how one is said stands in grammar.py. The grammar, its words and its sentences are
free of rights (CC0 1.0). They show gender and three cases, adjective endings, plurals and numbers, the verb in second
place and at the end, separable verbs, the perfect with haben and sein, nicht and kein, questions and commands.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from grammar import CASES, Clause, Phrase, noun_phrase
from words import ADJECTIVES, NAMES, NOUNS, NUMBERS, PLACES, POSSESSIVES, PREPOSITIONS, PRONOUNS, TIMES, VERBS, helper

PAIRS = 2000
ASKED_TENSES = "present present past past will can want"
TENSES = f"present past {ASKED_TENSES} must like"
T = TypeVar("T")
Pair = tuple[str, str]

draw = random.Random(1997).random  # the one generator of the random module that is promised never to change


def pick(options: Sequence[T]) -> T:
    return options[int(draw() * len(options))]


def chance(share: float) -> bool:
    return draw() < share


def some(kinds: frozenset[str] | set[str], *, definite: bool = False, plain: bool = False) -> Phrase:
    """A noun phrase of one of the kinds; plain ones have no adjective."""
    noun = pick([noun for noun in NOUNS if noun.kinds & kinds])
    plural = chance(0.3)
    adjective = pick(fitting(noun.kinds)) if not plain and chance(0.3) else ""
    options = ["the", "the", "the", "this"]
    if "stranger" not in noun.kinds and not (plural and noun.english == "mother"):
        options.append(pick(list(POSSESSIVES)))
    if not definite:
        options += ["none", pick(list(NUMBERS))] if plural else ["a", "a", "a"]
    return noun_phrase(noun, pick(options), plural, adjective)


def fitting(kinds: frozenset[str] | set[str]) -> list[str]:
    """The adjectives that may describe one of the kinds."""
    return [word for word, (*_, fits) in ADJECTIVES.items() if kinds & set(fits.split())]


def pronoun(exclude: str = "") -> Phrase:
    """Any pronoun but those of the excluded person: I may see you, not me or us."""
    english, object_, person, *german = pick([row for row in PRONOUNS if row[2][0] != exclude])
    return Phrase(english, object_, person, dict(zip(CASES, german, strict=True)), pronoun=True)


def somebody() -> Phrase:
    kind = draw()
    if kind < 0.35:
        return pronoun()
    if kind < 0.5:
        name = pick(NAMES)
        return Phrase(name, name, "3s", dict.fromkeys(CASES, name))
    return some({"person"}, definite=chance(0.85))


def whereabouts(case: str) -> Pair:
    """A place beside a thing: dative where something is, accusative where it is put."""
    english = pick(list(PREPOSITIONS))
    german, kinds = PREPOSITIONS[english]
    place = some(set(kinds.split()), definite=True, plain=True)
    return f"{english} {place.object}", f"{german} {place.german[case]}"


def clause(*, tenses: str = TENSES, frames: str = "", subject: Phrase | None = None) -> Clause:
    """A clause whose parts fit each other."""
    verb = pick([verb for verb in VERBS if not frames or verb.frame in frames.split(",")])
    who = subject or somebody()
    tense = pick(tenses.split())
    gladly = verb.frame in ("", "mit dat") and "still" not in verb.kinds
    two_tenses = tense == "past" and verb.english[0] == verb.english[2] and who.person != "3s"  # they read
    if two_tenses or (tense == "like" and not gladly):
        return clause(tenses=tenses, frames=frames, subject=subject)
    made = Clause(who, verb, tense, negated=tense not in ("must", "like") and chance(0.18))
    return with_circumstances(with_objects(made))


def with_objects(made: Clause) -> Clause:
    frame, other = made.verb.frame, made.subject.person[0].replace("3", "")
    if "person" in made.verb.kinds and chance(0.3):
        made = replace(made, object=pronoun(exclude=other))
    elif frame:
        thing = some(made.verb.kinds, definite=frame not in ("acc", "dat acc"))
        vague = made.negated and not thing.definite and not thing.negative  # "not two apples" says too little
        if vague or thing.noun is made.subject.noun:
            return with_objects(made)
        made = replace(made, object=thing)
    if frame == "dat acc":
        receiver = pronoun(exclude=other) if chance(0.3) else some({"person"}, definite=True)
        return (
            with_objects(made)
            if receiver.noun and receiver.noun is made.subject.noun
            else replace(made, receiver=receiver)
        )
    return replace(made, direction=whereabouts("acc")) if frame == "acc to" else made


def with_circumstances(made: Clause) -> Clause:
    times = [time for time, (_, tenses) in TIMES.items() if made.tense in tenses.split()]
    if made.negated and "every day" in times:
        times.remove("every day")
    if times and chance(0.35):
        return replace(made, time=pick(times))
    moves = made.verb.frame == "acc to" or "still" in made.verb.kinds
    return made if moves or made.negated or chance(0.75) else replace(made, place=pick(list(PLACES)))


def finish(english: str, german: str, mark: str = ".") -> Pair:
    english, german = (" ".join(text.split()) for text in (english, german))
    return english[0].upper() + english[1:] + mark, german[0].upper() + german[1:] + mark


def statement() -> Pair:
    made = clause()
    front = bool(made.time) and chance(0.5)
    return finish(made.english(front=front), made.german(front=front))


def with_somebody() -> Pair:
    """Verbs that want the dative, a preposition or a direction."""
    made = clause(frames="dat acc,acc to,dat,auf acc,mit dat")
    return finish(made.english(), made.german())


def question() -> Pair:
    made = clause(tenses=ASKED_TENSES)
    word, wort = pick([("", ""), ("", ""), ("why", "warum"), ("when", "wann"), ("where", "wo")])
    if word in ("when", "where"):
        made = replace(made, time="", place="", direction=("", ""), negated=False)
    return finish(f"{word} {made.english(question=True)}", f"{wort} {made.german(question=True)}", "?")


def who_question() -> Pair:
    """Who does it: wer. To whom: wen or wem. What: was."""
    if chance(0.4):
        made = clause(tenses=ASKED_TENSES, subject=Phrase("who", "", "3s", {"nom": "wer"}))
        return finish(made.english(), made.german(), "?")
    made = clause(tenses=ASKED_TENSES, frames="acc,dat")
    made = replace(made, object=None, negated=False)
    people = "person" in made.verb.kinds
    word = "who" if people else "what"
    wort = "wem" if made.verb.frame == "dat" else "wen" if people else "was"
    return finish(f"{word} {made.english(question=True)}", f"{wort} {made.german(question=True)}", "?")


def command() -> Pair:
    made = replace(clause(tenses="present", subject=Phrase("", "", "2s", {"nom": ""})), time="", place="")
    if not made.verb.imperative:
        return command()
    english, german = made.english(), " ".join([made.verb.imperative, *made.middle(), made.verb.prefix])
    return finish(f"please {english}", f"bitte {german}", "!") if chance(0.3) else finish(english, german, "!")


def is_(who: Phrase) -> Pair:
    english = "am" if who.person == "1s" else "is" if who.person == "3s" else "are"
    return f"{who.subject} {english}", f"{who.german['nom']} {helper('sein', who.person)}"


def description() -> Pair:
    """How somebody is, compared with others too."""
    word = pick(list(ADJECTIVES))
    wort, more, mehr, kinds = ADJECTIVES[word]
    kind = set(kinds.split()) or {"person"}
    who = somebody() if "person" in kind and chance(0.5) else some(kind, definite=True, plain=True)
    other = some(kind, definite=True, plain=True)
    (english, german), form = is_(who), draw()
    if more and form < 0.5:
        if other.noun == who.noun:
            return description()
        if form < 0.3:
            return finish(f"{english} {more} than {other.subject}", f"{german} {mehr} als {other.german['nom']}")
        return finish(f"{english} as {word} as {other.subject}", f"{german} so {wort} wie {other.german['nom']}")
    degree, grad = pick([("", ""), ("very", "sehr"), ("not", "nicht")])
    return finish(f"{english} {degree} {word}", f"{german} {grad} {wort}")


def location() -> Pair:
    thing = some({"light", "pet"}, definite=True)
    where, wo = whereabouts("dat")
    are, sind = ("are", "sind") if thing.person == "3p" else ("is", "ist")
    form = draw()
    if form < 0.2:
        return finish(f"where {are} {thing.subject}", f"wo {sind} {thing.german['nom']}", "?")
    if form < 0.4:
        return finish(f"{are} {thing.subject} {where}", f"{sind} {thing.german['nom']} {wo}", "?")
    no, nicht = pick([("", ""), ("", ""), ("not", "nicht")])
    return finish(f"{thing.subject} {are} {no} {where}", f"{thing.german['nom']} {sind} {nicht} {wo}")


def thought() -> Pair:
    """That somebody knows, says, hopes or believes; whether, with a doubt."""
    who, made = somebody(), clause()
    verb = pick(["know", "say", "hope", "believe"])
    wort = helper(verb, who.person)
    if verb == "know" and chance(0.6):
        doubt = "does not know" if who.person == "3s" else "do not know"
        return finish(
            f"{who.subject} {doubt} whether {made.english()}",
            f"{who.german['nom']} {wort} nicht, ob {made.german_end()}",
        )
    verb += "s" if who.person == "3s" else ""
    return finish(
        f"{who.subject} {verb} that {made.english()}", f"{who.german['nom']} {wort}, dass {made.german_end()}"
    )


def two_clauses() -> Pair:
    tense = pick(["present", "past"])
    first, second = clause(tenses=tense), clause(tenses=tense)
    form = draw()
    if form < 0.35:
        return finish(f"{first.english()} because {second.english()}", f"{first.german()}, weil {second.german_end()}")
    if form < 0.5:
        return finish(f"{first.english()}, but {second.english()}", f"{first.german()}, aber {second.german()}")
    if form < 0.65:
        return finish(f"{first.english()} and {second.english()}", f"{first.german()} und {second.german()}")
    if_ = replace(clause(tenses="present"), time="")
    then = replace(clause(tenses="will can must"), time="")
    return finish(f"if {if_.english()}, {then.english()}", f"wenn {if_.german_end()}, {then.german(question=True)}")


def relative_clause() -> Pair:
    """The man who ..., the book that ...: the pronoun has the noun's gender and its own case."""
    if chance(0.5):
        who = some({"person"}, definite=True, plain=True)
        made = clause(subject=Phrase("who", "", who.person, {"nom": who.relative["nom"]}))
        english, german, words = made.english(), made.german_end(), ["tired", "happy", "old", "young"]
    else:
        made = clause(tenses=ASKED_TENSES, frames="acc")
        who = some(made.verb.kinds, definite=True, plain=True)
        made = replace(made, object=None, negated=False)
        english, german = f"that {made.english()}", f"{who.relative['acc']} {made.german_end()}"
        words = fitting(who.noun.kinds) if who.noun else []
    if chance(0.3):
        see, siehst = pick([("do you see", "siehst du"), ("do you know", "kennst du")])
        return finish(f"{see} {who.object} {english}", f"{siehst} {who.german['acc']}, {german}", "?")
    word = pick(words)
    are, sind = (verb.split()[-1] for verb in is_(who))
    return finish(
        f"{who.subject} {english} {are} {word}", f"{who.german['nom']}, {german}, {sind} {ADJECTIVES[word][0]}"
    )


KINDS: list[tuple[Callable[[], Pair], int]] = [
    (statement, 34), (with_somebody, 12), (question, 10), (who_question, 6), (command, 5), (description, 8),
    (location, 6), (thought, 7), (two_clauses, 7), (relative_clause, 5),
]  # fmt: skip


def sentences() -> Iterator[Pair]:
    """Pairs without end, both sides of each unlike those of every other."""
    makers = [maker for maker, share in KINDS for _ in range(share)]
    seen: set[str] = set()
    while True:
        pair = pick(makers)()
        if not seen.intersection(pair):
            seen.update(pair)
            yield pair


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes sample.en and sample.de, the same on every machine.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="the folder to write to")
    output = parser.parse_args().output
    pairs = [pair for pair, _ in zip(sentences(), range(PAIRS), strict=False)]
    for side, ending in enumerate(("en", "de")):
        text = "".join(pair[side] + "\n" for pair in pairs)
        (output / f"sample.{ending}").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

"""Phrases and clauses of English and German: agreement, case, tense and the order of words.

It owns how one meaning is said in both languages; it chooses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from words import (
    ADJECTIVES,
    ARTICLE,
    DIES,
    EIN,
    MIXED,
    NUMBERS,
    PLACES,
    POSSESSIVES,
    STRONG,
    TIMES,
    WEAK,
    Noun,
    Verb,
    ending,
    helper,
)

CASES = ("nom", "acc", "dat")


@dataclass(frozen=True)
class Phrase:
    """Somebody or something: what English calls it as subject and as object, what German calls it by case."""

    subject: str
    object: str
    person: str
    german: dict[str, str]
    pronoun: bool = False
    definite: bool = True
    relative: dict[str, str] = field(default_factory=dict)
    negative: Phrase | None = None
    """The same with kein, where German negates so."""
    noun: Noun | None = None


def noun_phrase(noun: Noun, determiner: str, plural: bool = False, adjective: str = "") -> Phrase:
    """The noun with its determiner and adjective, inflected in all three cases."""
    column = "p" if plural else noun.gender
    english = noun.english_plural if plural else noun.english
    english = f"{adjective} {english}".strip()
    this = "these" if plural else "this"
    word = {"this": this, "none": "", "no": "no"}.get(determiner, determiner)
    if determiner == "a" and english[0] in "aeiou":
        word = "an"
    german = {}
    for case in CASES:
        if determiner == "the":
            first, table = ending(ARTICLE, case, column), WEAK
        elif determiner == "this":
            first, table = "dies" + ending(DIES, case, column), WEAK
        elif determiner in ("a", "no") or determiner in POSSESSIVES:
            stem = {"a": "ein", "no": "kein"}.get(determiner) or POSSESSIVES[determiner]
            first, table = stem + ending(EIN, case, column), MIXED
        else:
            first, table = NUMBERS.get(determiner, ""), STRONG
        head = (noun.dative_plural() if case == "dat" else noun.german_plural) if plural else noun.german
        middle = ADJECTIVES[adjective][0] + ending(table, case, column) if adjective else ""
        german[case] = " ".join(part for part in (first, middle, head) if part)
    negative = noun_phrase(noun, "no", plural, adjective) if determiner in ("a", "none") else None
    text = f"{word} {english}".strip()
    relative = {case: ending(ARTICLE, case, column) for case in ("nom", "acc")}
    definite = determiner not in ("a", "none", "no", *NUMBERS)
    person = "3p" if plural else "3s"
    return Phrase(text, text, person, german, definite=definite, relative=relative, negative=negative, noun=noun)


@dataclass(frozen=True)
class Clause:
    """Who does what, when and where: one meaning, from which both languages make statements and questions."""

    subject: Phrase
    verb: Verb
    tense: str
    object: Phrase | None = None
    receiver: Phrase | None = None
    direction: tuple[str, str] = ("", "")
    time: str = ""
    place: str = ""
    negated: bool = False

    def english(self, *, question: bool = False, front: bool = False) -> str:
        base, third, past = self.verb.english
        person, singular = self.subject.person, self.subject.person == "3s"
        does = "does" if singular else "do"
        if self.tense in ("will", "can", "must"):
            helper_, main = self.tense, base
        elif self.tense == "past":
            helper_, main = "did", base
        elif self.tense in ("want", "like"):
            helper_, main = does, f"{self.tense} to {base}"
        else:
            helper_, main = does, base
        not_ = " not" if self.negated else ""
        if question:
            words = [helper_, self.subject.subject + not_, main]
        elif self.negated or helper_ not in ("do", "does", "did"):
            words = [self.subject.subject, helper_ + ("not" if helper_ == "can" and not_ else not_), main]
        elif self.tense == "past":
            words = [self.subject.subject, past]
        elif self.tense in ("want", "like"):
            words = [self.subject.subject, f"{self.tense}{'s' if person == '3s' else ''} to {base}"]
        else:
            words = [self.subject.subject, third if singular else base]
        words += [phrase.object for phrase in (self.receiver, self.object) if phrase]
        words += [self.direction[0], self.place]
        words = [self.time, *words] if front else [*words, self.time]
        return " ".join(word for word in words if word)

    def middle(self, *, front: bool = False) -> list[str]:
        """German between the verb's two parts, the subject left out: what is known first, what is new last."""
        frame, object_ = self.verb.frame.split(), self.object
        pronouns: list[str] = []
        known: list[str] = []
        new: list[str] = []
        kein = self.negated and object_ is not None and object_.negative is not None and frame[-1] == "acc"
        if self.receiver:
            (pronouns if self.receiver.pronoun else known).append(self.receiver.german["dat"])
        if object_:
            shown = object_.negative if kein and object_.negative else object_
            text = shown.german["acc" if "acc" in frame else "dat"]
            if frame[0] in ("auf", "mit"):
                new.append(f"{frame[0]} {text}")
            else:
                (pronouns if object_.pronoun else known if object_.definite else new).append(text)
        time = TIMES[self.time][0] if self.time and not front else ""
        adverb = "gern" if self.tense == "like" else "nicht" if self.negated and not kein else ""
        place = PLACES.get(self.place, "")
        return [word for word in (*pronouns, time, *known, adverb, place, *new, self.direction[1]) if word]

    def verbs(self) -> tuple[str, str]:
        """The finite verb and what stands at the end of the clause."""
        person, verb = self.subject.person, self.verb
        if self.tense in ("present", "like"):
            return verb.finite(person), verb.prefix
        if self.tense == "past":
            return helper(verb.helper, person), verb.participle
        return helper(self.tense, person), verb.infinitive

    def german(self, *, question: bool = False, front: bool = False) -> str:
        """Verb second, or first in a question."""
        finite, last = self.verbs()
        subject = self.subject.german["nom"]
        if question:
            words = [finite, subject]
        elif front:
            words = [TIMES[self.time][0], finite, subject]
        else:
            words = [subject, finite]
        return " ".join(word for word in (*words, *self.middle(front=front), last) if word)

    def german_end(self) -> str:
        """Verb last, as after dass, weil, wenn, ob and a relative pronoun."""
        finite, last = self.verbs()
        together = last + finite if self.tense in ("present", "like") else f"{last} {finite}"
        words = [self.subject.german["nom"], *self.middle(), together]
        return " ".join(word for word in words if word)

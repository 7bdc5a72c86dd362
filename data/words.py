"""The words of the sample's grammar, English and German, with every form that the grammar asks for.

It holds tables and how to look a form up; it knows nothing of sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

# Endings by case; the columns are masculine, feminine, neuter, plural.
COLUMNS = "mfnp"
ARTICLE = {"nom": "der die das die", "acc": "den die das die", "dat": "dem der dem den"}
DIES = {"nom": "er e es e", "acc": "en e es e", "dat": "em er em en"}
EIN = {"nom": "- e - e", "acc": "en e - e", "dat": "em er em en"}
WEAK = {"nom": "e e e en", "acc": "en e e en", "dat": "en en en en"}  # adjective after der, dieser
MIXED = {"nom": "er e es en", "acc": "en e es en", "dat": "en en en en"}  # after ein, kein, mein
STRONG = {"nom": "er e es e", "acc": "en e es e", "dat": "em er em en"}  # after nothing or a number


def ending(table: dict[str, str], case: str, column: str) -> str:
    return table[case].split()[COLUMNS.index(column)].replace("-", "")


@dataclass(frozen=True)
class Noun:
    """A noun: both numbers in both languages, its gender, and what kinds of thing it is."""

    english: str
    english_plural: str
    german: str
    german_plural: str
    gender: str
    kinds: frozenset[str]

    def dative_plural(self) -> str:
        return self.german_plural + ("" if self.german_plural[-1] in "ns" else "n")


NOUNS = [
    Noun(*line.split()[:5], frozenset(line.split()[5:]))
    for line in """
    man men Mann Männer m person stranger
    woman women Frau Frauen f person stranger
    child children Kind Kinder n person
    girl girls Mädchen Mädchen n person stranger
    teacher teachers Lehrer Lehrer m person
    friend friends Freund Freunde m person
    mother mothers Mutter Mütter f person
    brother brothers Bruder Brüder m person
    sister sisters Schwester Schwestern f person
    dog dogs Hund Hunde m animal pet washable
    cat cats Katze Katzen f animal pet
    horse horses Pferd Pferde n animal washable
    book books Buch Bücher n thing text written light
    letter letters Brief Briefe m thing text written light closed
    newspaper newspapers Zeitung Zeitungen f thing text light
    apple apples Apfel Äpfel m thing food light washable
    cake cakes Kuchen Kuchen m thing food
    flower flowers Blume Blumen f thing
    picture pictures Bild Bilder n thing
    bag bags Tasche Taschen f thing closed washable
    car cars Auto Autos n thing big washable
    table tables Tisch Tische m thing big surface
    chair chairs Stuhl Stühle m thing big surface
    house houses Haus Häuser n big
    window windows Fenster Fenster n closed washable
    door doors Tür Türen f closed washable
    """.strip().splitlines()
]

# English, German stem, comparatives, and what the adjective may describe.
ADJECTIVES = {
    "small": ("klein", "smaller", "kleiner", "person animal thing big closed"),
    "big": ("groß", "bigger", "größer", "animal thing big closed"),
    "old": ("alt", "older", "älter", "person animal thing big closed"),
    "young": ("jung", "younger", "jünger", "person animal"),
    "beautiful": ("schön", "", "", "person animal thing big"),
    "new": ("neu", "", "", "thing big closed"),
    "red": ("rot", "", "", "thing big closed"),
    "tired": ("müde", "", "", ""),
    "happy": ("glücklich", "", "", ""),
}

# English subject and object, person, German nominative, accusative, dative.
PRONOUNS = [
    tuple(line.split())
    for line in """
    I me 1s ich mich mir
    you you 2s du dich dir
    he him 3s er ihn ihm
    she her 3s sie sie ihr
    we us 1p wir uns uns
    they them 3p sie sie ihnen
    """.strip().splitlines()
]
NAMES = ["Anna", "Paul", "Maria"]
POSSESSIVES = {"my": "mein", "your": "dein", "his": "sein", "her": "ihr", "our": "unser"}
NUMBERS = {"two": "zwei", "three": "drei", "four": "vier", "five": "fünf"}

# English, German, and the tenses that each may stand with.
TIMES = {
    "today": ("heute", "present past will can want"),
    "now": ("jetzt", "present"),
    "every day": ("jeden Tag", "present like"),
    "yesterday": ("gestern", "past"),
    "tomorrow": ("morgen", "will must can want"),
    "on Monday": ("am Montag", "past will must can"),
    "in the evening": ("am Abend", "present past will like"),
}
PLACES = {
    "in the garden": "im Garten",
    "in the kitchen": "in der Küche",
    "at school": "in der Schule",
    "at home": "zu Hause",
    "in the park": "im Park",
}
# Where things stand (dative) or are put (accusative): English, German, the nouns that go with it.
PREPOSITIONS = {
    "on": ("auf", "surface"),
    "under": ("unter", "surface"),
    "next to": ("neben", "surface big closed"),
    "behind": ("hinter", "big"),
    "in front of": ("vor", "big"),
}


@dataclass(frozen=True)
class Verb:
    """A verb: three English forms; the German infinitive, present, participle, helper and separable prefix.

    `frame` says what the verb takes: nothing, an object in the accusative or dative, a person and a thing, a
    preposition with its case, or a thing and a direction; `kinds` says which nouns may be that object.
    """

    english: tuple[str, str, str]
    present: tuple[str, str, str]
    infinitive: str
    participle: str
    helper: str
    prefix: str
    frame: str
    kinds: frozenset[str]
    imperative: str = ""

    def finite(self, person: str) -> str:
        """The present tense, a separable prefix left off."""
        if person in ("1p", "3p"):
            return self.infinitive.removeprefix(self.prefix)
        return self.present[int(person[0]) - 1]


def _verb(line: str) -> Verb:
    english, german, frame, kinds, imperative = (part.strip() for part in line.split("|"))
    infinitive, *present, participle, helper = german.split()
    prefix, _, stem = infinitive.rpartition("-")
    base, third, past = (form.strip() for form in english.split(","))
    forms = (present[0], present[1], present[2])
    return Verb(
        (base, third, past),
        forms,
        prefix + stem,
        participle,
        helper,
        prefix,
        frame,
        frozenset(kinds.split()),
        imperative,
    )


# English base, third, past | prefix-infinitive, ich, du, er, participle, helper | frame | kinds | imperative
VERBS = [
    _verb(line)
    for line in """
    see, sees, saw | sehen sehe siehst sieht gesehen haben | acc | person animal thing big |
    find, finds, found | finden finde findest findet gefunden haben | acc | animal light thing |
    buy, buys, bought | kaufen kaufe kaufst kauft gekauft haben | acc | thing | kauf
    sell, sells, sold | verkaufen verkaufe verkaufst verkauft verkauft haben | acc | thing big | verkauf
    look for, looks for, looked for | suchen suche suchst sucht gesucht haben | acc | person animal light | such
    hear, hears, heard | hören höre hörst hört gehört haben | acc | person animal |
    visit, visits, visited | besuchen besuche besuchst besucht besucht haben | acc | person | besuch
    read, reads, read | lesen lese liest liest gelesen haben | acc | text | lies
    write, writes, wrote | schreiben schreibe schreibst schreibt geschrieben haben | acc | written | schreib
    eat, eats, ate | essen esse isst isst gegessen haben | acc | food | iss
    wash, washes, washed | waschen wasche wäschst wäscht gewaschen haben | acc | washable | wasch
    paint, paints, painted | malen male malst malt gemalt haben | acc | animal thing | mal
    open, opens, opened | auf-machen mache machst macht aufgemacht haben | acc | closed | mach
    close, closes, closed | zu-machen mache machst macht zugemacht haben | acc | closed | mach
    call, calls, called | an-rufen rufe rufst ruft angerufen haben | acc | person | ruf
    invite, invites, invited | ein-laden lade lädst lädt eingeladen haben | acc | person | lad
    throw away, throws away, threw away | weg-werfen werfe wirfst wirft weggeworfen haben | acc | light | wirf
    help, helps, helped | helfen helfe hilfst hilft geholfen haben | dat | person | hilf
    thank, thanks, thanked | danken danke dankst dankt gedankt haben | dat | person |
    follow, follows, followed | folgen folge folgst folgt gefolgt sein | dat | person animal | folg
    wait for, waits for, waited for | warten warte wartest wartet gewartet haben | auf acc | person | warte
    talk to, talks to, talked to | sprechen spreche sprichst spricht gesprochen haben | mit dat | person | sprich
    play with, plays with, played with | spielen spiele spielst spielt gespielt haben | mit dat | person animal | spiel
    give, gives, gave | geben gebe gibst gibt gegeben haben | dat acc | light | gib
    show, shows, showed | zeigen zeige zeigst zeigt gezeigt haben | dat acc | thing animal | zeig
    put, puts, put | legen lege legst legt gelegt haben | acc to | light | leg
    sleep, sleeps, slept | schlafen schlafe schläfst schläft geschlafen haben | | | schlaf
    work, works, worked | arbeiten arbeite arbeitest arbeitet gearbeitet haben | | | arbeite
    sing, sings, sang | singen singe singst singt gesungen haben | | | sing
    dance, dances, danced | tanzen tanze tanzt tanzt getanzt haben | | | tanz
    laugh, laughs, laughed | lachen lache lachst lacht gelacht haben | | | lach
    come, comes, came | kommen komme kommst kommt gekommen sein | | still | komm
    get up, gets up, got up | auf-stehen stehe stehst steht aufgestanden sein | | still | steh
    fall asleep, falls asleep, fell asleep | ein-schlafen schlafe schläfst schläft eingeschlafen sein | | still |
    arrive, arrives, arrived | an-kommen komme kommst kommt angekommen sein | | still |
    """.strip().splitlines()
]

# German helpers and modal verbs by person: ich, du, er, wir and sie.
HELPERS = {
    name: tuple(forms.split())
    for name, forms in {
        "haben": "habe hast hat haben",
        "sein": "bin bist ist sind",
        "will": "werde wirst wird werden",
        "can": "kann kannst kann können",
        "must": "muss musst muss müssen",
        "want": "will willst will wollen",
        "know": "weiß weißt weiß wissen",
        "say": "sage sagst sagt sagen",
        "hope": "hoffe hoffst hofft hoffen",
        "believe": "glaube glaubst glaubt glauben",
    }.items()
}


def helper(name: str, person: str) -> str:
    return HELPERS[name][3 if person[1] == "p" else int(person[0]) - 1]

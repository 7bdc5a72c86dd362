"""How well trained models translate a test set: several seeds of one recipe, their mean and their spread.

    python benchmarks/quality.py runs/one runs/two runs/three --source test.en --reference test.de

Each model translates with its engine for processors and its own search settings. Three scores: sacreBLEU's BLEU and
chrF, cased and detokenised, which are what a reader sees; and `lc-tok`, the convention of the Multi30k papers:
lower-cased BLEU of output and reference after sacremoses' normalisation and tokenisation, with sacreBLEU's own off.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def scores(model: Path, lines: Sequence[str], references: Sequence[str], beam: int) -> dict[str, Any]:
    """One model on one test set."""
    from seq2seq import SearchConfig, Translator, evaluation

    translator = Translator.load(model)
    search = SearchConfig(beam=beam) if beam else None
    translations = [each.text for each in translator(list(lines), search=search)]
    found = evaluation.score(translations, references)
    return {
        "model": model.parent.name if model.name == "model" else model.name,
        "engine": translator.engine_name,
        "bleu": found.bleu,
        "chrf": found.chrf,
        "lc_tok": lower_cased(translations, references, translator.target_language),
        "signatures": found.signatures,
    }


def lower_cased(translations: Sequence[str], references: Sequence[str], language: str) -> float:
    """BLEU of lower-cased words as Moses cuts them."""
    import sacrebleu
    from sacremoses import MosesPunctNormalizer, MosesTokenizer

    normalizer, tokenizer = MosesPunctNormalizer(lang=language), MosesTokenizer(lang=language)

    def words(text: str) -> str:
        return str(tokenizer.tokenize(normalizer.normalize(text), escape=False, return_str=True)).lower()

    said, expected = ([words(text) for text in texts] for texts in (translations, references))
    return float(sacrebleu.corpus_bleu(said, [expected], tokenize="none", force=True).score)


def test_set(source: Path, reference: Path) -> tuple[list[str], list[str]]:
    """Every line of two aligned files, blank and equal ones too: they count as often as they stand there."""
    lines, references = (
        path.read_text(encoding="utf-8").removesuffix("\n").split("\n") for path in (source, reference)
    )
    if len(lines) != len(references):
        sys.exit(
            f"error: Source and reference must have as many lines as each other. Received: {len(lines):,} in {source}, "
            f"{len(references):,} in {reference}"
        )
    return lines, references


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", help="model or run folders")
    parser.add_argument("--source", type=Path, required=True, help="sentences, one a line")
    parser.add_argument("--reference", type=Path, required=True, help="their translations")
    parser.add_argument("--beam", type=int, default=0, help="instead of the model's own")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args(given)
    lines, references = test_set(arguments.source, arguments.reference)
    rows = [scores(model, lines, references, arguments.beam) for model in arguments.models]
    print("| model | engine | BLEU | chrF | lc-tok |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['model']} | {row['engine']} | {row['bleu']:.1f} | {row['chrf']:.1f} | {row['lc_tok']:.1f} |")
    if len(rows) > 1:
        columns = [[row[name] for row in rows] for name in ("bleu", "chrf", "lc_tok")]
        spread = (f"{statistics.mean(each):.1f} ± {statistics.stdev(each):.1f}" for each in columns)
        print(f"| mean of {len(rows)} | | {' | '.join(spread)} |")
    print(f"\n{rows[0]['signatures']['bleu']}\n{rows[0]['signatures']['chrf']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

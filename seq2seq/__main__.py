"""`seq2seq` and `python -m seq2seq`: the command line, which takes a moment to load; nothing else lives here."""

import sys


def main() -> None:
    """What the console script calls: loads the command line and runs it. An interrupt meanwhile is no error."""
    try:
        from seq2seq import cli
    except KeyboardInterrupt:
        print("seq2seq: note: interrupted", file=sys.stderr)
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()

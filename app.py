"""Opens the app in a web server on this machine: `python app.py [MODEL]` is `seq2seq serve [MODEL]`, options and all.

It knows nothing itself; the command line is seq2seq.cli's, and everything that answers is seq2seq.web's.
"""

from __future__ import annotations

import sys

from seq2seq import cli

if __name__ == "__main__":
    sys.exit(cli.run(["serve", *sys.argv[1:]]))

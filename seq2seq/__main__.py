"""`python -m seq2seq` is the command `seq2seq`; nothing else lives here."""

from seq2seq.cli import main

if __name__ == "__main__":
    main()

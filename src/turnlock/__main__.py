"""``python -m turnlock``."""

from turnlock.cli import main

if __name__ == "__main__":
    main(prog_name="turnlock")

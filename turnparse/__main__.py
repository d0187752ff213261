"""``python -m turnparse`` is the command ``turnparse``."""

from turnparse._cli import main

main(prog_name="turnparse")

"""The command ``turnparse``, which ``python -m turnparse`` is too."""

from turnparse._signals import end_at_once


def main() -> None:
    """Run the command, which can be stopped in good order while it is being loaded too."""
    end_at_once()
    from turnparse._cli import main as command

    command(prog_name="turnparse")


if __name__ == "__main__":
    main()

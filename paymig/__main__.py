"""The `paymig` command as a program, also `python -m paymig`."""

import sys

_STAMPED = "compile"
"""The command that is not run again when nothing that it depends on has changed."""


def main() -> None:
    """Run the command line."""
    arguments = sys.argv[1:]
    stamp = None
    if arguments[:1] == [_STAMPED]:
        from paymig.stamp import Stamp

        stamp = Stamp(arguments)
        said = stamp.said()
        if said is not None:
            sys.stdout.write(said)
            return
    from paymig import cli

    cli.main(arguments, stamp)


if __name__ == "__main__":
    main()

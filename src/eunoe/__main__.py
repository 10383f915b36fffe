"""`python -m eunoe` is the command `eunoe`."""

from eunoe.cli.main import main

if __name__ == "__main__":
    main()

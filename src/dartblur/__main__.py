"""`python -m dartblur` is the `dartblur` command."""

from dartblur.cli import main

if __name__ == "__main__":
    main()

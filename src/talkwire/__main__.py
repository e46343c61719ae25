"""`python -m talkwire` and the program `talkwire`."""

from talkwire.cli.main import main

if __name__ == "__main__":
    main()

"""Entry point; parses nothing itself. `python main.py --help` lists the commands."""

from pipeline.cli.app import main

if __name__ == "__main__":
    main()

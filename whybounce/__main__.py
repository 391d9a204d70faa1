"""``python -m whybounce``."""

from whybounce.serving.cli import main

if __name__ == "__main__":
    main()

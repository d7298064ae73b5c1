"""``python -m longtake`` is the command ``longtake``."""

from .surfaces.cli import main

if __name__ == "__main__":
    main()

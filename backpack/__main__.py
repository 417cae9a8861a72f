"""Makes ``python -m backpack`` the same as the command ``backpack``."""

from backpack.cli import main

if __name__ == "__main__":
    main()

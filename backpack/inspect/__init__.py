"""A page over a Backpack in a file: served to this machine alone, or written as one file."""

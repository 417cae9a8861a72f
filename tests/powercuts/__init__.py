"""Simulated power cuts: what a program wrote and synchronized is recorded, and cut off anywhere.

A program runs under strace (``recording``). From what it wrote, and what of that it had
synchronized, states are made that a disk may be in after the power was lost (``disk``). What the
program had acknowledged until then is known, because it does the same each time (``programs``).
"""

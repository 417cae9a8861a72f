"""Backpack beside other ways to keep an agent's past: the same values, measured the same way.

    python benchmarks/peers --out docs/peers.md

:mod:`peers.workloads` says what is committed, :mod:`peers.contenders` by whom. Every case runs in
a process of its own (:mod:`peers.child`), watched from outside (:mod:`peers.runner`); every answer
is verified (:mod:`peers.ledger`). :mod:`peers.floor` measures what a value costs without a history,
:mod:`peers.tables` shows it all.
"""

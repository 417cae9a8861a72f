"""Which node's block the program is in: by context, so that tasks and threads do not mix.

One context variable holds the blocks that are open, of all owners, innermost first. A variable for
each Backpack would outlive it: contexts hold on to their variables. A block takes nothing but
itself out again, so that blocks that do not end in the order in which they began, as those of
interleaved generators, leave nothing behind.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from attrs import define

from backpack.labels import check_node

if TYPE_CHECKING:
    from contextvars import Token

    from backpack.labels import Labels

__all__ = ["NodeBlock", "Nodes", "all_open", "labelled", "named_block"]

T = TypeVar("T")


@define(eq=False)
class _Opened:
    """A block that is open.

    Attributes:
        owner: Whose it is.
        what: What it was opened with.
        is_lost: Whether it was left where it could not be taken out again: in another context.
    """

    owner: object
    what: Any
    is_lost: bool = False


_OPENED: Final[ContextVar[tuple[_Opened, ...]]] = ContextVar("backpack_nodes", default=())

#: Return what is open, whosever it is: nothing outside of any block, which is soon told.
all_open: Final = _OPENED.get


class Nodes(Generic[T]):
    """The blocks of one owner.

    >>> nodes = Nodes()
    >>> with nodes.block("triage"):
    ...     nodes.innermost()
    'triage'
    >>> nodes.innermost() is None
    True
    """

    __slots__ = ()

    def block(self, what: T) -> NodeBlock:
        """Return a block inside of which :meth:`innermost` is ``what``."""
        return NodeBlock(self, what)

    def innermost(self) -> T | None:
        """Return what the innermost block was opened with in which this is called."""
        for opened in _OPENED.get():
            if opened.owner is self and not opened.is_lost:
                return opened.what  # type: ignore[no-any-return]
        return None


class NodeBlock(AbstractContextManager[None]):
    """A block, to be entered once; what is started inside inherits it."""

    def __init__(self, owner: object, what: object) -> None:
        # A generator, because an interruption between entering and the block leaves one that is
        # suspended, which closes the block when it is collected.
        self._steps = _open(_Opened(owner, what))
        self._is_entered = False

    def __enter__(self) -> None:
        if self._is_entered:
            raise RuntimeError(
                "this block of a node was entered before; make one for each `with`: "
                "`with backpack.node(name):`"
            )
        self._is_entered = True
        next(self._steps)

    def __exit__(self, *_: object) -> None:
        self._steps.close()


def named_block(nodes: Nodes[str], name: object) -> NodeBlock:
    """Return the block of a node.

    Raises:
        TypeError: Its name is none.
    """
    return nodes.block(check_node(name))


def labelled(nodes: Nodes[str], labels: Labels) -> Labels:
    """Return labels with the node in which this is called, unless they name one."""
    if labels.by is None and (node := nodes.innermost()) is not None:
        return labels._replace(by=node)
    return labels


def _open(opened: _Opened) -> Generator[None, None, None]:
    """Open a block, and close it when the generator is closed."""
    token: Token[tuple[_Opened, ...]] | None = None
    try:
        token = _OPENED.set((opened, *_OPENED.get()))
        yield
    finally:
        try:
            _close(opened, token)
        except BaseException:
            # It was interrupted; closing twice is the same as once.
            _close(opened, token)
            raise


def _close(opened: _Opened, token: Token[tuple[_Opened, ...]] | None) -> None:
    """Take a block out of the context; where it was opened in another one, close it for all."""
    if token is not None and not _is_of_this_context(token):
        opened.is_lost = True
    left = _OPENED.get()
    if opened in left:
        _OPENED.set(tuple(each for each in left if each is not opened))


def _is_of_this_context(token: Token[tuple[_Opened, ...]]) -> bool:
    """Whether a token was made in the context that this is called in."""
    here = _OPENED.get()
    try:
        _OPENED.reset(token)
    except ValueError:
        return False
    except RuntimeError:
        return True  # It was used before, which is possible only where it was made.
    _OPENED.set(here)
    return True

"""The built-in policies: small values to choose from, one module per axis.

==========  ==========================================================================
axis        built in
==========  ==========================================================================
sizing      :class:`EncodedSize`, :class:`DeepSize`, :class:`StoredSize`
reference   :class:`Stub`, :class:`Preview`, :class:`Spill`
storage     :class:`Full`, :class:`Compressed`, :class:`Delta`
pruning     :class:`Oldest`, :class:`LeastAccessed`, :class:`KeepAll`, :class:`Thinning`,
            :class:`KeepTagged`
==========  ==========================================================================

They have the rights of a class of your own and no others: they see records, errors and the
contracts in :mod:`backpack.protocols`, never the Backpack.
"""

from backpack.policies.delta import Delta
from backpack.policies.pruning import KeepAll, KeepTagged, LeastAccessed, Oldest, Thinning
from backpack.policies.reference import Preview, Spill, Stub
from backpack.policies.sizing import DeepSize, EncodedSize, StoredSize
from backpack.policies.storage import Compressed, Full

__all__ = [
    "Compressed",
    "DeepSize",
    "Delta",
    "EncodedSize",
    "Full",
    "KeepAll",
    "KeepTagged",
    "LeastAccessed",
    "Oldest",
    "Preview",
    "Spill",
    "StoredSize",
    "Stub",
    "Thinning",
]

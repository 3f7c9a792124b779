"""Merkle trees over hashes: RFC 9162, section 2.1, with SHA-256.

A tree's root follows from the roots of its complete subtrees, one for each bit set in its size; appending
needs only these. A proof consists of the roots of adjacent stretches of leaves, so that one pass over the
leaves computes it.
"""

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32
_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(value: bytes) -> bytes:
    """The hash of a leaf: section 2.1.1."""
    return sha256(_LEAF + value).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(_NODE + left + right).digest()


class Tree:
    """A tree that grows: its size, and the roots of its complete subtrees, from the left."""

    def __init__(self, size: int = 0, frontier: bytes = b"") -> None:
        """`frontier` is the result of `frontier()` at this size. Raises ValueError if its length is wrong."""
        if len(frontier) != HASH_BYTES * size.bit_count():
            raise ValueError("one root for each bit of the size")
        self.size = size
        self._roots = [frontier[at : at + HASH_BYTES] for at in range(0, len(frontier), HASH_BYTES)]

    def append(self, value: bytes) -> None:
        """Add a leaf."""
        root, carry, roots = sha256(_LEAF + value).digest(), self.size, self._roots
        while carry & 1:
            root = sha256(_NODE + roots.pop() + root).digest()
            carry >>= 1
        roots.append(root)
        self.size += 1

    def root(self) -> bytes:
        """The root of all leaves so far; of an empty tree, the hash of the empty string."""
        if not self._roots:
            return sha256().digest()
        *others, root = self._roots
        for left in reversed(others):
            root = node_hash(left, root)
        return root

    def frontier(self) -> bytes:
        """The state from which the tree can be continued."""
        return b"".join(self._roots)


Stretch = tuple[int, int]
"""A half-open range of leaf indexes, from 0."""


def inclusion_stretches(index: int, size: int) -> list[Stretch]:
    """The subtrees whose roots are the proof that leaf `index` (from 0) is in a tree: section 2.1.3.1."""
    assert 0 <= index < size, "the leaf is in the tree"
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_stretches(old_size: int, size: int) -> list[Stretch]:
    """The subtrees whose roots prove that a tree of `old_size` is a prefix of this one: section 2.1.4.1."""
    assert 0 < old_size <= size, "the old tree is not empty and not larger"
    start, end, whole, path = 0, size, True, []
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, whole = middle, False
    if not whole:
        path.append((start, end))
    return path[::-1]


class Roots:
    """Computes the roots of disjoint stretches in one pass over all leaves, without storing them."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._wanted = stretches
        self._to_come = sorted(stretches, reverse=True)
        self._found: dict[Stretch, bytes] = {}
        self._tree = Tree()
        self.taken = 0

    def take(self, value: bytes) -> None:
        """Add the next leaf."""
        if self._to_come and self.taken >= self._to_come[-1][0]:
            self._tree.append(value)
            if self.taken == self._to_come[-1][1] - 1:
                self._found[self._to_come.pop()] = self._tree.root()
                self._tree = Tree()
        self.taken += 1

    def found(self) -> list[bytes]:
        """The roots, in the order of the stretches. All leaves must have been added."""
        return [self._found[stretch] for stretch in self._wanted]


def inclusion_holds(index: int, size: int, value: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """True if the proof shows that leaf `index` of the tree with this root is `value`: section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf_hash(value)
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistency_holds(old_size: int, size: int, path: Sequence[bytes], old_root: bytes, root: bytes) -> bool:
    """True if the proof shows that the old tree is a prefix of the new one: section 2.1.4.2."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not path and old_root == root
    nodes = list(path)
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        return False
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for c in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == root


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)

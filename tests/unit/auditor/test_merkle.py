"""Merkle trees compared with the definitions of RFC 9162 and with known trees."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.chain.merkle import (
    Roots,
    Stretch,
    Tree,
    consistency_holds,
    consistency_stretches,
    inclusion_holds,
    inclusion_stretches,
)

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
# From the reference implementation of Certificate Transparency.
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}

values = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def mth(leaves: list[bytes]) -> bytes:
    """Section 2.1.1, word for word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def tree_of(leaves: list[bytes]) -> Tree:
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree


def proof(stretches: list[Stretch], leaves: list[bytes]) -> list[bytes]:
    roots = Roots(stretches)
    for leaf in leaves:
        roots.take(leaf)
    return roots.found()


@pytest.mark.parametrize("size", ROOTS)
def test_known_trees(size: int) -> None:
    assert tree_of(LEAVES[:size]).root().hex() == ROOTS[size]


@given(values)
def test_a_tree_that_grew_is_the_tree_of_its_leaves(leaves: list[bytes]) -> None:
    assert tree_of(leaves).root() == mth(leaves)


@given(values, st.data())
def test_a_tree_can_be_continued_from_its_frontier(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves)))
    tree = Tree(at, tree_of(leaves[:at]).frontier())
    for leaf in leaves[at:]:
        tree.append(leaf)

    assert (tree.size, tree.root()) == (len(leaves), mth(leaves))


@given(values, st.data())
def test_only_leaves_of_the_tree_have_proofs(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root, size = proof(inclusion_stretches(index, len(leaves)), leaves), mth(leaves), len(leaves)

    assert inclusion_holds(index, size, leaves[index], path, root)
    assert not inclusion_holds(index, size, leaves[index] + b"x", path, root)
    assert not inclusion_holds(index, size, leaves[index], path, mth([*leaves, b"x"]))
    assert not inclusion_holds(index, size, leaves[index], [*path, root], root)
    assert not inclusion_holds(size, size, leaves[index], path, root)
    if path:
        assert not inclusion_holds(index, size, leaves[index], path[:-1], root)


@given(values, st.data())
def test_only_beginnings_of_the_tree_have_proofs(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    old_size = data.draw(st.integers(1, size))
    old_root, root = mth(leaves[:old_size]), mth(leaves)
    path = proof(consistency_stretches(old_size, size), leaves)

    assert consistency_holds(old_size, size, path, old_root, root)
    other = mth([*leaves[: old_size - 1], b"another leaf"])
    assert not consistency_holds(old_size, size, path, other, root)
    assert not consistency_holds(old_size, size, path, old_root, mth([*leaves, b"x"]))
    assert not consistency_holds(old_size, size, [*path, root], old_root, root)
    assert not consistency_holds(size + 1, size, path, old_root, root)


def test_the_examples_of_the_rfc() -> None:
    """Section 2.1.5, by the leaves (a to g) below each node."""
    a_b, c_d, e_f, abcd, efg = (0, 2), (2, 4), (4, 6), (0, 4), (4, 7)
    b, c, d, f, g = (1, 2), (2, 3), (3, 4), (5, 6), (6, 7)
    assert inclusion_stretches(0, 7) == [b, c_d, efg]
    assert inclusion_stretches(3, 7) == [c, a_b, efg]
    assert inclusion_stretches(4, 7) == [f, g, abcd]
    assert inclusion_stretches(6, 7) == [e_f, abcd]
    assert consistency_stretches(3, 7) == [c, d, a_b, efg]
    assert consistency_stretches(4, 7) == [efg]
    assert consistency_stretches(6, 7) == [e_f, g, abcd]

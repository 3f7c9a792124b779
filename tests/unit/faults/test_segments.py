"""A partition's files: its last batches are removed whole, and a single bit flips in one batch."""

from pathlib import Path

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from tests.faults.faults.segments import batches, cut, flip


def a_batch(value: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 16_384)
    builder.append(0, timestamp=1, key=b"key", value=value, headers=[])
    return bytes(builder.build())


def a_partition(folder: Path) -> list[bytes]:
    """Three batches, preallocated space after them, and an index."""
    written = [a_batch(value) for value in (b"first", b"second", b"third")]
    (folder / "00000000000000000000.log").write_bytes(b"".join(written) + bytes(100))
    (folder / "00000000000000000000.index").write_bytes(b"index")
    return written


def test_batches_are_found(tmp_path: Path) -> None:
    written = a_partition(tmp_path)
    _, found = batches(tmp_path)
    assert [end - begin for begin, end in found] == [len(batch) for batch in written]


def test_the_last_batches_are_removed_whole_and_the_index_is_rebuilt(tmp_path: Path) -> None:
    written = a_partition(tmp_path)
    cut(tmp_path, 2)
    [path] = tmp_path.iterdir()
    assert path.read_bytes() == written[0]


def test_one_bit_flips_in_the_records_of_one_batch(tmp_path: Path) -> None:
    written = a_partition(tmp_path)
    flip(tmp_path, last=2)
    content = (tmp_path / "00000000000000000000.log").read_bytes()
    whole = b"".join(written)
    differ = [index for index in range(len(whole)) if content[index] != whole[index]]
    assert len(differ) == 1
    begin = len(written[0])
    bent = content[begin : begin + len(written[1])]
    assert not DefaultRecordBatch(bent).validate_crc()
    assert DefaultRecordBatch(written[1]).validate_crc()

"""Unreadable records: those before them are kept, and the error concerns their partition alone."""

import asyncio
import gc
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from infra.kafka.aiokafka_fixes import (
    MessageBatch,
    PartitionRecords,
    Records,
    TransactionManager,
    error_of,
    follows,
)

PARTITION = TopicPartition("topic", 3)
CRC_OFFSET = 17
ATTRIBUTES_OFFSET = 22
READ_COMMITTED = 1
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4


def batch(base_offset: int, *values: bytes, codec: int = 0, header: str = "name") -> bytearray:
    """A batch of records in the log's format."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1_000_000,
    )
    for delta, value in enumerate(values):
        builder.append(delta, 1_000, b"key", value, [(header, b"x")])
    data = bytearray(builder.build())
    data[0:8] = base_offset.to_bytes(8, "big")
    return data


def read(data: bytearray, fetch_offset: int = 0, aborted: Any = None) -> list[ConsumerRecord]:
    records = PartitionRecords(
        PARTITION, Records(bytes(data)), aborted, fetch_offset, None, None, True, READ_COMMITTED
    )
    return list(records)


def corrupt(data: bytearray) -> bytearray:
    data[-1] ^= 0xFF
    return data


@pytest.mark.parametrize("codec", [0, GZIP, SNAPPY, LZ4, ZSTD])
def test_every_codec_of_the_protocol_is_read(codec: int) -> None:
    records = read(batch(0, b"a" * 1_000, b"b", codec=codec))

    assert [(record.offset, record.value, error_of(record)) for record in records] == [
        (0, b"a" * 1_000, None),
        (1, b"b", None),
    ]


def test_records_before_a_corrupt_batch_are_kept_and_nothing_after_it_is_read() -> None:
    records = read(batch(0, b"a", b"b") + corrupt(batch(2, b"c")) + batch(3, b"d"))

    assert [record.value for record in records[:2]] == [b"a", b"b"]
    assert len(records) == 3
    assert (records[2].offset, records[2].partition) == (2, 3)
    assert "CRC" in str(error_of(records[2]))


def test_an_unknown_codec_is_an_error_of_its_partition() -> None:
    data = batch(5, b"a")
    data[ATTRIBUTES_OFFSET] |= 7
    from aiokafka.record.util import calc_crc32c

    data[CRC_OFFSET : CRC_OFFSET + 4] = calc_crc32c(bytes(data[CRC_OFFSET + 4 :])).to_bytes(4, "big")

    [record] = read(data, fetch_offset=5)

    assert record.offset == 5
    assert error_of(record) is not None


def test_header_names_that_are_not_utf_8_are_read_with_what_follows_them() -> None:
    data = batch(0, b"a", header="head") + batch(1, b"b", b"c", header="ABCD") + batch(3, b"d")
    start = bytes(data).index(b"ABCD")
    data[start : start + 4] = b"A\xff\xfeD"
    begin = len(batch(0, b"a", header="head"))
    end = len(data) - len(batch(3, b"d"))
    from aiokafka.record.util import calc_crc32c

    crc = calc_crc32c(bytes(data[begin + CRC_OFFSET + 4 : end]))
    data[begin + CRC_OFFSET : begin + CRC_OFFSET + 4] = crc.to_bytes(4, "big")

    records = read(data)

    assert [(record.offset, record.value) for record in records] == [
        (0, b"a"),
        (1, b"b"),
        (2, b"c"),
        (3, b"d"),
    ]
    assert [record.headers for record in records[1:3]] == [((r"A\xff\xfeD", b"x"),), (("ABCD", b"x"),)]
    assert [error_of(record) for record in records] == [None] * 4


def test_a_record_carries_the_offset_that_it_continues_from() -> None:
    records = read(batch(2, b"a") + batch(7, b"b"), fetch_offset=2)

    # Between 2 and 7 the log has nothing, or nothing that was committed.
    assert [(follows(record), record.offset) for record in records] == [(2, 2), (3, 7)]


async def test_the_failure_of_a_transaction_and_of_a_batch_may_be_left_unread() -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    sent = MessageBatch(PARTITION, BatchBuilder(1_000, 0, is_transactional=True), 1.0, 0)
    acknowledged = sent.append(b"key", b"value", None)
    sent.failure(ProducerFenced())
    assert isinstance(acknowledged.exception(), ProducerFenced)
    del sent
    for fail in (TransactionManager.error_transaction, TransactionManager.fatal_error):
        manager = TransactionManager("name", 1_000)
        manager.set_pid_and_epoch(1, 1)
        manager.begin_transaction()
        fail(manager, ProducerFenced())
        del manager
    gc.collect()
    assert not reported

"""Bodies with wrong fields, and the JSON pointers (RFC 6901) of those fields."""

from typing import Any

from tests.clinic import CHECKUP
from tests.http.asking import booking

SOME_ID = "0b8f7a52-5a53-4d2f-9c39-6f1d3f8f8a11"


BOOKING = booking(SOME_ID, "2026-12-01T09:00:00+01:00")


DOCTOR = {"name": "Dr. Test", "specialty": "tests", "visit_types": [CHECKUP]}


HOURS = {"weekday": 1, "starts": "09:00", "ends": "12:00"}


LONE = "\ud800 lone"


def each(*values: Any) -> tuple[Any, ...]:
    return values


BAD_BOOKINGS: list[tuple[Any, list[str]]] = [
    ({}, ["/doctor_id", "/starts_at", "/visit_type"]),
    (None, [""]),
    ([], [""]),
    ([BOOKING], [""]),
    ("booking", [""]),
    (4711, [""]),
    (False, [""]),
    (BOOKING | {"colour": "green"}, ["/colour"]),
    (BOOKING | {"Doctor_id": SOME_ID}, ["/Doctor_id"]),
    (BOOKING | {"a/b~c": "green"}, ["/a~1b~0c"]),
    (BOOKING | {"": "green"}, ["/"]),
    (BOOKING | {"~1": "green", "0": 1}, ["/~01", "/0"]),
    (BOOKING | {LONE: "green"}, [""]),
    (BOOKING | {"actor": {"kind": "staff", "id": SOME_ID}}, ["/actor"]),
    *(
        (BOOKING | {"starts_at": value}, ["/starts_at"])
        for value in each(
            1796112000, 1796112000.5, "1796112000", True, None, [], {}, "",
            "2026-12-01", "2026-12-01T09:00:00", "2026-12-01T09:00+01:00", "2026-12-01 09:00:00+01:00",
            "2026-02-30T09:00:00Z", "2026-13-01T09:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T09:60:00Z",
            "2026-12-01T09:00:61Z", "2026-12-01T09:00:00+25:00", "2026-12-01T09:00:00+0100",
            "2026-12-01T09:00:00 Europe/Berlin", "20261201T090000Z", "2026-W49-2T09:00:00Z", "tomorrow",
            "0000-12-01T09:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
            "٢٠٢٦-12-01T09:00:00Z", "2026-12-01T09:00:00Z\n", LONE, "2026-12-01T09:00:00\0Z",
        )
    ),
    *(
        (BOOKING | {field: value}, [f"/{field}"])
        for field in ("doctor_id", "patient_id")
        for value in each(
            4711, True, [SOME_ID], "", "no id", SOME_ID[:-1], f"{{{SOME_ID}}}", f"urn:uuid:{SOME_ID}",
            SOME_ID.replace("-", ""), f"{SOME_ID}\n", f" {SOME_ID}", LONE, "g" * 36, "\0" * 36,
        )
    ),
    (BOOKING | {"doctor_id": None}, ["/doctor_id"]),
    *(
        (BOOKING | {"visit_type": value}, ["/visit_type"])
        for value in each(
            None,
            4711,
            "",
            "Checkup",
            "check up",
            "checkup\n",
            "\0",
            LONE,
            "x" * 41,
            "-x",
            "éa",
            {},
        )
    ),
    *(
        (BOOKING | {"reason": value}, ["/reason"])
        for value in each(
            4711,
            True,
            ["cough"],
            {},
            "",
            "   ",
            "\n",
            "a\0b",
            "a\rb",
            "a\x7fb",
            "a\x85b",
            "a\u2028b",
            "\u200b\u2060",
            "\u0301",
        )
    ),
    (BOOKING | {"reason": LONE}, ["/reason"]),
    (BOOKING | {"reason": "x" * 2_001}, ["/reason"]),
    (
        {"doctor_id": 1, "starts_at": 2, "visit_type": 3, "x": 4},
        ["/doctor_id", "/starts_at", "/visit_type", "/x"],
    ),
]  # fmt: skip


def offering(**changes: Any) -> dict[str, Any]:
    return DOCTOR | {"visit_types": [CHECKUP | changes]}


BAD_DOCTORS: list[tuple[Any, list[str]]] = [
    ({}, ["/name", "/specialty", "/visit_types"]),
    (DOCTOR | {"active": True}, ["/active"]),
    (DOCTOR | {"id": 4711}, ["/id"]),
    *(
        (DOCTOR | {field: value}, [f"/{field}"])
        for field in ("name", "specialty")
        for value in each(None, 4711, True, [], "", "  ", "x" * 201, "a\nb", "a\tb", "a\0b", "a\u2029b", LONE)
    ),
    *((DOCTOR | {field: "\u200b\u3164"}, [f"/{field}"]) for field in ("name", "specialty")),
    (offering(name="\u200d\ufe0f"), ["/visit_types/0/name"]),
    *(
        (DOCTOR | {"time_zone": value}, ["/time_zone"])
        for value in each(
            "Europe/Nowhere", "+01:00", "europe/berlin", "", 4711, "../etc/passwd", "\0", LONE,
            "localtime", "posixrules", "Factory", "right/UTC", "posix/UTC", "America", "/etc/localtime",
        )
    ),
    *((DOCTOR | {"visit_types": value}, ["/visit_types"]) for value in each(None, [], {}, "checkup", 4711)),
    (DOCTOR | {"visit_types": [CHECKUP] * 51}, ["/visit_types"]),
    (DOCTOR | {"visit_types": [CHECKUP, CHECKUP | {"name": "Another"}]}, ["/visit_types"]),
    (DOCTOR | {"visit_types": ["checkup"]}, ["/visit_types/0"]),
    (
        DOCTOR | {"visit_types": [CHECKUP, {}]},
        [f"/visit_types/1/{name}" for name in ("code", "name", "minutes")],
    ),
    *(
        (offering(minutes=value), ["/visit_types/0/minutes"])
        for value in each(0, -30, 721, 10**30, 10**300, 30.5, 30.0, "30", True, None, [30], 1e300)
    ),
    *(
        (offering(**{field: value}), [f"/visit_types/0/{field}"])
        for field in ("buffer_before_minutes", "buffer_after_minutes")
        for value in each(-1, 241, "5", False, None, 5.0)
    ),
    (offering(code="Check-Up"), ["/visit_types/0/code"]),
    (offering(name="a\0b"), ["/visit_types/0/name"]),
    (offering(colour="green"), ["/visit_types/0/colour"]),
    (offering(**{"a/b": "green"}), ["/visit_types/0/a~1b"]),
    (offering(**{LONE: "green"}), ["/visit_types/0"]),
    *((DOCTOR | {"policy": value}, ["/policy"]) for value in each(None, [], "strict", 4711)),
    (DOCTOR | {"policy": {"colour": "green"}}, ["/policy/colour"]),
    *(
        (DOCTOR | {"policy": {field: value}}, [f"/policy/{field}"])
        for field, values in {
            "slot_minutes": (0, -1, 721, "15", True),
            "min_notice_minutes": (-1, 525_601, None),
            "horizon_days": (0, 3_661, 1.5),
            "change_notice_minutes": (-1, "120"),
            "max_active_per_patient": (0, 1_001, False),
        }.items()
        for value in values
    ),
]  # fmt: skip


BAD_SCHEDULES: list[tuple[Any, list[str]]] = [
    ({}, ["/hours"]),
    ({"hours": None}, ["/hours"]),
    ({"hours": HOURS}, ["/hours"]),
    ({"hours": [HOURS] * 201}, ["/hours"]),
    ({"hours": [], "doctor_id": SOME_ID}, ["/doctor_id"]),
    ({"hours": [HOURS, {}]}, ["/hours/1/weekday", "/hours/1/starts", "/hours/1/ends"]),
    *(
        ({"hours": [HOURS | {"weekday": value}]}, ["/hours/0/weekday"])
        for value in each(0, 8, -1, "1", True, 1.0, None)
    ),
    *(
        ({"hours": [HOURS | {field: value}]}, [f"/hours/0/{field}"])
        for field in ("starts", "ends")
        for value in each(
            "24:01", "9:00", "09:60", "09:00:00", "0900", "09:00Z", "", "09:00\n", "٠٩:00", LONE,
            9, 32_400, True, None,
        )
    ),
    ({"hours": [HOURS | {"starts": "24:00"}]}, ["/hours/0/starts"]),
    *(
        ({"hours": [HOURS | {field: value}]}, [f"/hours/0/{field}"])
        for field in ("valid_from", "valid_until")
        for value in each(
            "2026-02-30",
            "2026-2-1",
            "20260201",
            "2026-02-01T00:00:00Z",
            "1899-12-31",
            "",
            1796112000,
            True,
        )
    ),
    ({"hours": [HOURS | {"ends": "09:00"}]}, ["/hours/0"]),
    ({"hours": [HOURS, HOURS | {"starts": "13:00"}]}, ["/hours/1"]),
    ({"hours": [HOURS | {"valid_from": "2026-02-02", "valid_until": "2026-02-01"}]}, ["/hours/0"]),
]  # fmt: skip

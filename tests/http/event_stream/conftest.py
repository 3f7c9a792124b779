"""The watchers of the ingress's event feed."""

import weakref

import pytest

from ingress.event_stream import feed as event_feed


@pytest.fixture
def watchers(monkeypatch: pytest.MonkeyPatch) -> "weakref.WeakSet[event_feed.Watcher]":
    """The watchers in memory: empty once all of them are garbage-collected."""
    alive: weakref.WeakSet[event_feed.Watcher] = weakref.WeakSet()

    class Seen(event_feed.Watcher):
        def __init__(self) -> None:
            super().__init__()
            alive.add(self)

    monkeypatch.setattr(event_feed, "Watcher", Seen)
    return alive

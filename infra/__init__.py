"""Adapters to the outside: settings, Postgres, Kafka, Redis, keys, the clock and random ids."""

from infra import zones as zones  # first: it sets where zones are looked up

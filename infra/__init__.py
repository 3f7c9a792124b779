"""Everything that touches the world: settings, Postgres, Kafka, Redis, keys, the clock and random ids."""

-- The storage keys that data keys may be wrapped in; the keys themselves are files (`infra.crypto.epochs`). The
-- row of an epoch goes before its key: nobody can wrap a data key in it any more, and nobody has one.
CREATE TABLE people.key_epochs (
    epoch         integer     PRIMARY KEY CHECK (epoch >= 0),
    registered_at timestamptz NOT NULL
);
-- Keys that earlier releases wrapped by the master key.
INSERT INTO people.key_epochs (epoch, registered_at) VALUES (0, now());

-- The default is for ingresses of the release before, which do not name it.
ALTER TABLE people.patients ADD COLUMN key_epoch integer DEFAULT 0;
UPDATE people.patients SET key_epoch = NULL WHERE data_key IS NULL;
ALTER TABLE people.patients ADD CONSTRAINT patients_key_epoch FOREIGN KEY (key_epoch) REFERENCES people.key_epochs;

COMMENT ON TABLE people.key_epochs IS
    'Epochs of the storage keys that data keys may be wrapped in. The keys are not in the database.';
COMMENT ON COLUMN people.key_epochs.epoch IS 'number of the epoch; 0: wrapped by the master key';
COMMENT ON COLUMN people.key_epochs.registered_at IS 'when it was first known here';
COMMENT ON COLUMN people.patients.key_epoch IS 'epoch of the key that wraps data_key; null when forgotten';
COMMENT ON COLUMN people.patients.data_key IS
    'the patient''s key, wrapped by the storage key of its epoch; null when forgotten';

-- data_key --
SELECT data_key FROM people.patients WHERE id = $1

-- plan --
-- The notifier finds what is due by the database's clock.
INSERT INTO notify.notifications (id, kind, challenge_id, patient_id, dated, due_at, deadline_at, secret)
VALUES ($1, 'login_code', $1, $2, $3, least($3, now()), $4, $5)

-- delete_old --
UPDATE notify.notifications SET secret = NULL WHERE secret IS NOT NULL AND deadline_at < $1

-- forget --
UPDATE notify.notifications SET secret = NULL WHERE patient_id = $1 AND secret IS NOT NULL

-- Reads of lists are about several patients, whom the entry's content names. Found again by this index, when one of
-- them asks who saw their data.
CREATE INDEX entries_by_shown_patient ON audit.entries USING gin ((content::jsonb #> '{effect,after,patient_ids}'))
    WHERE action IN ('BookRead', 'PatientsSearched');

-- +goose Up
-- An entry of the audit log is written before anything is done, with the status 0, and completed when the answer is
-- known. What is proven of who asked is told apart from what is only claimed. Everything has a bound: a trigger cuts what
-- is longer, so that older servers, which know of none, go on writing entries.
ALTER TABLE audit_log
    ADD COLUMN client       text NOT NULL DEFAULT '',    -- what the request says it was sent by: a claim
    ADD COLUMN issuer       text NOT NULL DEFAULT '',    -- the identity provider that vouches for the subject
    ADD COLUMN subject      text NOT NULL DEFAULT '',
    ADD COLUMN claimed_name text NOT NULL DEFAULT '',    -- what the provider says the subject is called: a claim
    ADD COLUMN more         integer NOT NULL DEFAULT 0;  -- requests of the same sender that were refused without entries of their own

-- Entries that are there already may have any length, so they are not checked.
ALTER TABLE audit_log ADD CONSTRAINT audit_log_status_check CHECK (status BETWEEN 0 AND 999) NOT VALID;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_more_check CHECK (more >= 0) NOT VALID;

-- +goose StatementBegin
CREATE FUNCTION explorer_bound_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.actor := left(NEW.actor, 500);
    NEW.operation := left(NEW.operation, 100);
    NEW.method := left(NEW.method, 20);
    NEW.path := left(NEW.path, 500);
    NEW.remote_address := left(NEW.remote_address, 100);
    NEW.request_id := left(NEW.request_id, 64);
    NEW.client := left(NEW.client, 200);
    NEW.issuer := left(NEW.issuer, 500);
    NEW.subject := left(NEW.subject, 300);
    NEW.claimed_name := left(NEW.claimed_name, 200);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_log_bound BEFORE INSERT OR UPDATE ON audit_log FOR EACH ROW
    WHEN (length(NEW.actor) > 500 OR length(NEW.operation) > 100 OR length(NEW.method) > 20 OR length(NEW.path) > 500 OR length(NEW.remote_address) > 100
        OR length(NEW.request_id) > 64 OR length(NEW.client) > 200 OR length(NEW.issuer) > 500 OR length(NEW.subject) > 300 OR length(NEW.claimed_name) > 200)
    EXECUTE FUNCTION explorer_bound_audit();

-- +goose Down
DROP TRIGGER audit_log_bound ON audit_log;
DROP FUNCTION explorer_bound_audit();
ALTER TABLE audit_log DROP CONSTRAINT audit_log_status_check, DROP CONSTRAINT audit_log_more_check;
ALTER TABLE audit_log DROP COLUMN client, DROP COLUMN issuer, DROP COLUMN subject, DROP COLUMN claimed_name, DROP COLUMN more;

-- One row, updated on the writer and read on the other side: how far behind replication is.

CREATE SCHEMA IF NOT EXISTS paymig;

CREATE TABLE IF NOT EXISTS paymig.heartbeat (
    id      integer     PRIMARY KEY CHECK (id = 1),
    beat    bigint      NOT NULL,
    beat_at timestamptz NOT NULL
);

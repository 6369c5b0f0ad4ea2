-- As pg_dump --no-owner --no-privileges writes it: COPY and its end are psql's, not SQL.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE SCHEMA shop;

CREATE TABLE shop.orders (
    key text NOT NULL,
    item text NOT NULL,
    pieces integer NOT NULL,
    taken_by text DEFAULT 'nobody knows' NOT NULL,
    CONSTRAINT orders_pieces_check CHECK ((pieces > 0))
);

COPY shop.orders (key, item, pieces) FROM stdin;
older-1	tea	2
older-2	coffee	1
\.

ALTER TABLE ONLY shop.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (key);

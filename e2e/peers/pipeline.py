"""The pipeline that both projects run: the latest bills of OpenParliament, each enriched from LEGISinfo, in Postgres.

It asks one request after the other, as a first version of such a pipeline does. Addresses are those of Parliament
Explorer's own settings: OPENPARLIAMENT_URL, LEGISINFO_URL and DATABASE_URL.
"""

import json
import os
import urllib.request

import psycopg2

TABLE = "CREATE TABLE IF NOT EXISTS peer_bills (id text PRIMARY KEY, bill jsonb NOT NULL, details jsonb NOT NULL)"
UPSERT = """INSERT INTO peer_bills (id, bill, details) VALUES (%s, %s, %s)
ON CONFLICT (id) DO UPDATE SET bill = excluded.bill, details = excluded.details"""


def get(address: str):
    """Returns the JSON of an address."""
    with urllib.request.urlopen(address, timeout=20) as answer:
        return json.load(answer)


def fetch_latest_bills(limit: int = 50) -> int:
    """Stores the latest bills with their details, and returns how many there are."""
    listed = get(f"{os.environ['OPENPARLIAMENT_URL']}/bills/?limit={limit}&format=json")["objects"]
    rows = []
    for bill in listed:
        session, number = bill["session"], bill["number"].lower()
        details = get(f"{os.environ['LEGISINFO_URL']}/en/bill/{session}/{number}/json")
        rows.append((f"{session}/{bill['number']}", json.dumps(bill), json.dumps(details)))
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.executemany(UPSERT, rows)
    return len(rows)

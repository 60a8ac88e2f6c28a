"""DuckDB and pandas read the exports with the types that ``GET /exports`` gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from parliament_explorer import Client, connect, follow_run, unwrap
from parliament_explorer.api.assets import materialize_asset
from parliament_explorer.api.exports import get_export, list_exports
from parliament_explorer.models import Config, ExportField, ExportFieldType, StartRunRequest

# What DuckDB calls each type: in Parquet, where 32 and 64 bits differ, and where it tells from the text.
IN_PARQUET = {
    ExportFieldType.STRING: {"VARCHAR"},
    ExportFieldType.BOOLEAN: {"BOOLEAN"},
    ExportFieldType.INTEGER: {"INTEGER", "BIGINT"},
    ExportFieldType.DATE: {"DATE"},
    ExportFieldType.TIMESTAMP: {"TIMESTAMP WITH TIME ZONE"},
}
IN_TEXT = IN_PARQUET | {
    ExportFieldType.INTEGER: {"BIGINT"},
    ExportFieldType.TIMESTAMP: {"TIMESTAMP WITH TIME ZONE", "TIMESTAMP"},  # by its version
}
IN_PANDAS = {
    ExportFieldType.STRING: "string",
    ExportFieldType.BOOLEAN: "bool",
    ExportFieldType.INTEGER: "int",
    ExportFieldType.DATE: "date32[day]",
    ExportFieldType.TIMESTAMP: "timestamp[us, tz=UTC]",
}


class Exports:
    """Downloads files through the client, and asks DuckDB about them."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.folder = folder
        (export,) = unwrap(list_exports.sync(client=client)).items
        self.fields: list[ExportField] = export.fields
        self.rows = export.rows
        self.duck = duckdb.connect()
        self.duck.execute("SET TimeZone = 'UTC'")

    def file(self, form: str, **filters: Any) -> Path:
        answer = get_export.sync_detailed(f"bills.{form}", client=self.client, **filters)
        assert answer.status_code == 200
        path = self.folder / f"{'-'.join(map(str, filters.values())) or 'all'}.{form}"
        path.write_bytes(answer.content)
        return path

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.duck.execute(query).fetchall()

    def types(self, path: Path) -> dict[str, str]:
        return {row[0]: row[1] for row in self.ask(f"DESCRIBE SELECT * FROM '{path}'")}


@pytest.fixture(scope="module")
def exports(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exports]:
    with connect(url) as client:
        request = StartRunRequest(config=Config.from_dict({"limit": 200}))
        run = unwrap(materialize_asset.sync("fetch_latest_bills", client=client, body=request))
        assert [event.type_ for event in follow_run(client, run.id)][-1] == "run_success"
        yield Exports(client, tmp_path_factory.mktemp("exports"))


def test_duckdb_reads_parquet(exports: Exports) -> None:
    path = exports.file("parquet")
    types = exports.types(path)
    assert list(types) == [f.name for f in exports.fields]
    for f in exports.fields:
        assert types[f.name] in IN_PARQUET[f.type_], f.name
    assert exports.ask(f"SELECT count(*) FROM '{path}'") == [(exports.rows,)]
    ((since, chapters, average, oldest),) = exports.ask(
        f"""SELECT count(*) FILTER (introduced_on >= DATE '2022-01-01' AND latest_activity_at > TIMESTAMPTZ '2022-01-01'),
            count(statute_year), avg(statute_year), min(statute_year) FROM '{path}'"""
    )
    assert 0 < since <= exports.rows
    assert 0 < chapters < exports.rows, "some bills have a chapter and some have none"
    assert average > 1900
    assert oldest > 1900
    for f in exports.fields:
        ((nulls, nothing),) = exports.ask(
            f'SELECT count(*) FILTER ({f.name} IS NULL), '
            f"count(*) FILTER (CAST({f.name} AS VARCHAR) IN ('', '0') OR CAST({f.name} AS VARCHAR) LIKE '0001-%') FROM '{path}'"
        )
        assert f.nullable or nulls == 0, f.name
        assert nothing == 0, f"{f.name}: something stands for nothing"
    # Readers skip by the statistics of the file; what they find is the same.
    ((title,),) = exports.ask(f"SELECT max(title_fr) FROM '{path}'")
    assert exports.duck.execute(f"SELECT count(*) > 0 FROM '{path}' WHERE title_fr = ?", [title]).fetchall() == [(True,)]


def test_the_formats_agree(exports: Exports) -> None:
    parquet, csv, ndjson = (exports.file(form) for form in ("parquet", "csv", "ndjson"))
    in_text = exports.types(csv)
    assert list(in_text) == [f.name for f in exports.fields]
    bills = [json.loads(line) for line in ndjson.read_text().splitlines()]
    assert len(bills) == exports.rows
    for f in exports.fields:
        ((values,),) = exports.ask(f"SELECT count({f.name}) FROM '{parquet}'")
        if values > 0:  # nothing tells the type of an empty column
            assert in_text[f.name] in IN_TEXT[f.type_], f.name
        kind = exports.types(parquet)[f.name]
        of_csv = f"regexp_replace({f.name}, '^''([=+@\\t\\r-])', '\\1')" if f.type_ == ExportFieldType.STRING else f.name
        different = exports.ask(
            f"""SELECT p.id, p.{f.name} FROM '{parquet}' p JOIN read_csv('{csv}', all_varchar = true) c USING (id)
                WHERE p.{f.name} IS DISTINCT FROM CAST({of_csv.replace(f.name, "c." + f.name)} AS {kind})"""
        )
        assert different == [], f"{f.name} of CSV"
        if f.name == "committees":
            continue  # a list in NDJSON
        lines = dict(exports.ask(f"SELECT id, CAST({f.name} AS VARCHAR) FROM '{parquet}'"))
        for bill in bills:
            value = bill
            for part in f.ndjson.strip("/").split("/"):
                value = value and value[part]
            ((same,),) = exports.duck.execute(
                f"SELECT CAST(? AS {kind}) IS NOT DISTINCT FROM CAST(? AS {kind})", [value, lines[bill["id"]]]
            ).fetchall()
            assert same, f"{f.name} of {bill['id']}: {value} in NDJSON, {lines[bill['id']]} in Parquet"


def test_duckdb_reads_ndjson(exports: Exports) -> None:
    path = exports.file("ndjson")
    types = exports.types(path)
    assert (types["introduced_on"], types["law"], types["parliament"]) == ("DATE", "BOOLEAN", "BIGINT")
    ((rows, average),) = exports.ask(f"SELECT count(*), avg(statute.year) FROM '{path}'")
    assert rows == exports.rows
    assert average > 1900


def test_pandas_reads_them(exports: Exports) -> None:
    path = exports.file("parquet")
    frame = pd.read_parquet(path, dtype_backend="pyarrow")
    assert list(frame.columns) == [f.name for f in exports.fields]
    assert len(frame) == exports.rows
    for f in exports.fields:
        assert str(frame[f.name].dtype).startswith((IN_PANDAS[f.type_], "large_string")), f.name
    assert frame["statute_year"].isna().any()
    assert frame["statute_year"].mean() > 1900
    plain = pd.read_parquet(path)
    assert str(plain["latest_activity_at"].dtype).endswith("UTC]")
    assert str(plain["law"].dtype) == "bool"
    nullable = pd.read_parquet(path, dtype_backend="numpy_nullable")
    assert str(nullable["statute_year"].dtype) == "Int32"
    assert str(nullable["sponsor_person_id"].dtype) == "Int64"
    text = pd.read_csv(exports.file("csv"), dtype_backend="numpy_nullable")
    assert str(text["statute_year"].dtype) == "Int64"
    assert text["statute_year"].isna().sum() == frame["statute_year"].isna().sum()
    assert str(text["law"].dtype) == "boolean"
    schema = pq.read_schema(path)
    assert [schema.field(f.name).nullable for f in exports.fields] == [f.nullable for f in exports.fields]


@pytest.mark.parametrize("filters", [{"session": "1-1"}, {"session": "45-1", "law": True}], ids=["empty", "filtered"])
def test_filtered_and_empty(exports: Exports, filters: dict[str, Any]) -> None:
    whole, part = exports.file("parquet"), exports.file("parquet", **filters)
    assert exports.types(part) == exports.types(whole)
    wanted = f"id LIKE '{filters['session']}/%'" + (" AND law" if "law" in filters else "")
    assert exports.ask(f"SELECT id FROM '{part}' ORDER BY id") == exports.ask(
        f"SELECT id FROM '{whole}' WHERE {wanted} ORDER BY id"
    )
    assert pd.read_parquet(part, dtype_backend="pyarrow").dtypes.equals(pd.read_parquet(whole, dtype_backend="pyarrow").dtypes)
    text = pd.read_csv(exports.file("csv", **filters))
    assert list(text.columns) == [f.name for f in exports.fields]
    rows = exports.ask(f"SELECT count(*) FROM '{part}'")[0][0]
    assert (rows == 0) == (filters == {"session": "1-1"})
    assert len(text) == len(exports.file("ndjson", **filters).read_text().splitlines()) == rows

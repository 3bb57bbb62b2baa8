"""Team files as spreadsheets save them: read as dbt reads them, or refused with file, line and column."""

from pathlib import Path

import duckdb
import pytest

from orchestration.team.columns import SEEDS, SeedError
from orchestration.team.files import read_table
from orchestration.team.incidents import read_endpoint_owners
from orchestration.team.notifications import read_notification_channels
from pricing.override_files import OverrideError, load_overrides

HEADER = "endpoint_tag,owner,runbook_url,escalation_channel,runbook_reviewed_on"
ROW = "search.answer,team-search,,oncall,2026-11-01"


def saved(folder: Path, content: bytes, name: str = "endpoint_owners.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\n{ROW}\n",
        f"\ufeff{HEADER}\r\n{ROW}\r\n",
        f"{HEADER}\n{ROW}",
        f"{HEADER}\n\n{ROW}\n\n",
        f'{HEADER}\n"search.answer","team-search","","oncall","2026-11-01"\n',
        f"{HEADER}\n{ROW.replace('team-search', 'Müller 東京')}\n",
        f"{HEADER}\n{ROW.replace('team-search', chr(34) + 'Müller, Jo' + chr(34))}\n",
    ],
)
def test_what_is_read_here_is_what_dbt_copies(tmp_path, content):
    path = saved(tmp_path, content.encode())
    rows, problems = read_table(path)
    assert problems == []
    with duckdb.connect() as database:
        database.execute(f"create table owners ({', '.join(f'{name} varchar' for name in HEADER.split(','))})")
        database.execute(f"copy owners from '{path}' (format csv, header true, delimiter ',')")
        copied = [tuple(value or "" for value in row) for row in database.execute("from owners").fetchall()]
    assert [tuple(row.values()) for row in rows.values()] == copied
    assert [row.endpoint_tag for row in read_endpoint_owners(path)] == ["search.answer"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (f"{HEADER}\n{ROW}\n".replace("team-search", "Müller").encode("cp1252"), "line 2, column owner: 'Müller' is not UTF-8: save it as"),
        (f"{HEADER}\n{ROW}\na,b,https://u:pä@x,,\n".encode("latin-1"), "line 3, column runbook_url: the address is not UTF-8"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), "endpoint_owners.csv is UTF-16"),
        (b"PK\x03\x04" + bytes(100), "endpoint_owners.csv is a workbook"),
        (f"{HEADER}\n{ROW}\n".replace(",", ";").encode(), "line 1: its columns are separated by semicolons"),
        (f"{HEADER}\n{ROW}\n".replace(",", "\t").encode(), "line 1: its columns are separated by tabs"),
        (f"{HEADER},\n{ROW},\n".encode(), "line 1: column 6 has no name: delete the empty columns"),
        (f"{HEADER}\n{ROW}\n,,,,\n".encode(), "line 3: the row is empty: delete it"),
        (f"{HEADER}\n{ROW},\n".encode(), "line 2: it has 6 fields, and there are 5 columns"),
        (f"{HEADER}\nsearch.answer,x\n".encode(), "line 2: it has 2 fields, and there are 5 columns"),
        (f"{HEADER}\n{ROW.replace('oncall', 'oncall ')}\n".encode(), "line 2: escalation_channel: 'oncall ' holds spaces around it"),
        (f"{HEADER}\nsearch.\u200banswer,x,,,\n".encode(), "endpoint_tag: 'search.\\u200banswer' holds"),
        (f"{HEADER.replace('owner,', 'owner ,')}\n{ROW}\n".encode(), "the name of column 2 is 'owner '"),
        (f"{HEADER.replace('owner,', 'endpoint_tag,')}\n{ROW}\n".encode(), "two columns are called endpoint_tag"),
        (f'{HEADER}\n"{ROW}\n'.encode(), "look for a quotation mark that is not closed"),
        (f"{HEADER}\n{ROW.replace('2026-11-01', '1/3/2026')}\n".encode(), "reviewed_on: '1/3/2026' is not a date: write it as 2026-03-01"),
        (f"{HEADER}\n{ROW.replace('2026-11-01', '46082')}\n".encode(), "runbook_reviewed_on: '46082' is not a date"),
        (b"", "the file is empty"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_did_to_a_file_is_a_sentence(tmp_path, content, sentence):
    with pytest.raises(SeedError) as mistake:
        read_endpoint_owners(saved(tmp_path, content))
    assert sentence in str(mistake.value)


@pytest.mark.parametrize("number", ["1 000", "1,5", "1_000", "60 %", "$60", "inf", "six"])
def test_a_number_is_written_as_sql_reads_it(tmp_path, number):
    shipped = (SEEDS / "notification_channels.csv").read_text()
    path = saved(tmp_path, shipped.replace(",UTC,60,30,", f',UTC,"{number}",30,').encode(), "notification_channels.csv")
    with pytest.raises(SeedError, match=r"line 2: cooldown_minutes: .* is not a number: write it as 1234\.5"):
        read_notification_channels(path)


def test_overrides_in_another_encoding_are_a_sentence(tmp_path):
    entry = "prices:\n  # für Müller\n"
    saved(tmp_path, entry.encode("cp1252"), "latin.yml")
    saved(tmp_path, b"prices:\n\t- provider: x\n", "tabs.yml")
    with pytest.raises(OverrideError) as mistake:
        load_overrides(tmp_path)
    latin, tabs = str(mistake.value).splitlines()
    assert latin.endswith("latin.yml: line 2, column 6: it is not UTF-8 text: save the file as UTF-8.")
    assert "tabs.yml: line 2" in tabs
    assert "indent with spaces, not with tabs" in tabs


def test_overrides_with_a_byte_order_mark_are_read(tmp_path):
    saved(tmp_path, "\ufeffprices: []\r\n".encode(), "bom.yml")
    assert load_overrides(tmp_path).prices == ()

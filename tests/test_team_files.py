"""Team files as people and spreadsheets save them: read, or refused with file, line and column."""

from pathlib import Path

import pytest

from orchestration.team.incidents import ENDPOINT_OWNERS
from orchestration.team.notifications import read_channels
from orchestration.team.rows import SHIPPED, TeamFileError, read_rows
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
        f"# who owns what\n{HEADER}\n# chat.reply,team-chat,,,\n{ROW}\n",
        f'{HEADER}\n"# a comment, as a spreadsheet saves it",,,,\n#,,,,\n{ROW}\n',
    ],
)
def test_what_a_person_or_a_spreadsheet_saved_is_read(tmp_path, content):
    [row] = read_rows(saved(tmp_path, content.encode()).parent, ENDPOINT_OWNERS)
    assert row.model_dump(exclude={"runbook_reviewed_on"}) == {
        "endpoint_tag": "search.answer",
        "owner": "team-search",
        "runbook_url": None,
        "escalation_channel": "oncall",
    }


def test_names_are_kept_as_they_are(tmp_path):
    content = f'{HEADER}\n#costs,"Müller, Jo",,東京,\n'
    [row] = read_rows(saved(tmp_path, content.encode()).parent, ENDPOINT_OWNERS)
    assert (row.endpoint_tag, row.owner, row.escalation_channel) == ("#costs", "Müller, Jo", "東京")


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
        (f"# ours\n{HEADER.replace('runbook_url,', 'wiki,')}\n{ROW}\n".encode(), "line 2: there is no column 'wiki': the columns are"),
        (f"{HEADER.replace('owner,', 'owners,')}\n{ROW}\n".encode(), "line 1: there is no column 'owners': did you mean owner?"),
        (b"endpoint_tag,escalation_channel\na,b\n", "line 1: the column owner is missing: add it."),
        (b"# only comments\n", "the file is empty"),
        (f'{HEADER}\n"{ROW}\n'.encode(), "look for a quotation mark that is not closed"),
        (f"{HEADER}\n{ROW.replace('2026-11-01', '1/3/2026')}\n".encode(), "reviewed_on: '1/3/2026' is not a date: write it as 2026-03-01"),
        (f"{HEADER}\n{ROW.replace('2026-11-01', '46082')}\n".encode(), "runbook_reviewed_on: '46082' is not a date"),
        (b"", "the file is empty"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_did_to_a_file_is_a_sentence(tmp_path, content, sentence):
    with pytest.raises(TeamFileError) as mistake:
        read_rows(saved(tmp_path, content).parent, ENDPOINT_OWNERS)
    assert sentence in str(mistake.value)


@pytest.mark.parametrize("number", ["1 000", "1,5", "1_000", "60 %", "$60", "inf", "six"])
def test_a_number_is_written_as_sql_reads_it(tmp_path, number):
    shipped = (SHIPPED / "notification_channels.csv").read_text()
    saved(tmp_path, shipped.replace(",UTC,60,30,", f',UTC,"{number}",30,').encode(), "notification_channels.csv")
    with pytest.raises(TeamFileError, match=r"line 2: cooldown_minutes: .* is not a number: write it as 1234\.5"):
        read_channels(tmp_path)


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

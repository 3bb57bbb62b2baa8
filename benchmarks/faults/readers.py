"""What a reader finds who looks at any moment: one publication, whole, whose parts name each other."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import duckdb


def broken_parts(root: Path) -> list[str]:
    """A sentence for each part of `published` that does not belong to the others; none, when there is no publication yet."""
    link = root / "published"
    if not link.is_symlink():
        return [f"{link} is not a link."] if link.exists() else []
    folder = link.resolve()
    files = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return list(_broken(folder, tuple((str(path), at.st_ino, at.st_size, at.st_mtime_ns) for path, at in files)))


@lru_cache(maxsize=8)
def _broken(folder: Path, files: tuple[tuple[str, int, int, int], ...]) -> list[str]:
    """The same, read once for the same files."""
    found = [f"{path} was left behind." for path, *_ in files if Path(path).name.startswith(".")]
    said = json.loads((folder / "marts.json").read_text()) if (folder / "marts.json").exists() else {}
    if not said:
        return found + [f"{folder} has files and no marts.json." for _ in folder.glob("tokentrail.duckdb")]
    manifest = json.loads((folder / "exports" / "manifest.json").read_text())
    with duckdb.connect() as connection:
        connection.execute(f"attach '{folder / 'tokentrail.duckdb'}' as published (read_only)")
        [(inside,)] = connection.execute("select signature from published.marts.publication").fetchall()
        for name, entry in manifest["exports"].items():
            path = folder / "exports" / name
            if missing := [kind for kind in ("parquet", "csv") if not Path(f"{path}.{kind}").exists()]:
                found.append(f"{path}: the manifest names it, and it is missing as {' and '.join(missing)}.")
                continue
            parquet, csv = (
                connection.read_parquet(f"{path}.parquet"),
                connection.read_csv(f"{path}.csv", all_varchar=True, header=True),
            )
            sums = ", ".join(["count(*)::varchar", *(f"sum({column})::varchar" for column in entry["totals"])])
            holds = list(parquet.aggregate(sums).fetchone())
            rows, *totals = [None if said is None else str(said) for said in (entry["rows"], *entry["totals"].values())]
            if holds != [rows, *totals]:
                found.append(f"{path}.parquet has rows and totals of {holds}, its manifest says {[rows, *totals]}.")
            lines = csv.aggregate("count(*)::varchar").fetchone()[0]
            if lines != rows:
                found.append(f"{path}.csv has {lines} rows, its twin {rows}.")
    signatures = {said["signature"], manifest["marts_signature"], inside}
    if len(signatures) > 1:
        found.append(f"marts.json, manifest and tokentrail.duckdb name {len(signatures)} publications: {signatures}.")
    stamp = folder / "docs" / "data_docs" / "built_from.json"
    shown = hashlib.sha256(stamp.read_bytes()).hexdigest() if stamp.exists() else None
    if shown != said.get("data_docs"):
        found.append("Data Docs are those of another publication.")
    pages = {path.stem for path in (folder / "weekly").glob("*.html")}
    texts = {path.stem for path in (folder / "weekly").glob("*.md")}
    if pages != texts:
        found.append(f"Weekly pages {pages ^ texts} have lost their twin.")
    return found

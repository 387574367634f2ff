"""Updates and compiles the translation catalogues: `python -m deploy.languages`."""

from __future__ import annotations

import sys

from deploy.languages.catalogue import compiled, lacking, path_of, translated, updated, written


def main() -> int:
    """Write both files of every language; return 1 if a message has no translation."""
    status = 0
    for tag in translated():
        catalogue = updated(tag)
        path_of(tag).write_bytes(written(catalogue))
        path_of(tag).with_suffix(".mo").write_bytes(compiled(catalogue))
        for message in lacking(catalogue):
            print(f"{tag}: {message!r} is not translated", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

"""`otpguard evidence`: makes, reduces, stamps and verifies evidence packs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from streams import config as configs
from streams.cases.store import opening
from streams.cli.cases import NamedArgument, refuse_nobody
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    ago_ms,
    group,
    open_lines,
    progress,
    write_json,
    write_lines,
    writing,
)
from streams.common import (
    Exit,
    UnavailableError,
    UsageError,
    clock,
    current_language,
    escape_unprintable,
    pdf,
    read_bytes,
    replace_file,
    tr,
    trn,
    unwritten,
)
from streams.people.evidence import (
    canonical,
    pack as packs,
    pack_keys,
    pack_records,
    pack_report,
    repeat as repeats,
    signed_envelope,
    signer,
    stamp as stamps,
    text_12321 as complaint,
    verify as verifier,
)

app = group("Export a case as evidence that anybody can verify.")
keys = group(
    r"""Make, show and change the key that signs packs.

    \b
    Example:
      otpguard evidence key new --out /etc/otpguard/pack.pem
    """
)
app.add_typer(keys, name="key")

PackArgument = Annotated[Path, typer.Argument(help="Folder of the pack.", metavar="PACK")]
SinceOption = Annotated[str, typer.Option("--since", help="How far back, such as 6h or 180d.")]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FILE", help="JSON lines instead of topics, - for stdin (.gz too)."
    ),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="New folder to write into.")]
KeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="FILE",
        help="File of the pack key.",
        show_default="evidence.key_file, or OTPGUARD_EVIDENCE_KEY",
    ),
]


@app.command()
def make(
    named: NamedArgument,
    out: OutOption,
    settings: SettingsOption,
    *,
    since: SinceOption = "180d",
    from_: FromOption = None,
    store: Annotated[
        bool, typer.Option("--store", help="Read the case store instead of the topics.")
    ] = False,
    key: KeyOption = "",
    authority: Annotated[str, typer.Option("--authority", help="Who asks for it.")] = "",
    document: Annotated[str, typer.Option("--document", help="Number of the legal request.")] = "",
    received: Annotated[str, typer.Option("--received", help="Date of the request.")] = "",
    officer: Annotated[str, typer.Option("--officer", help="Who makes the pack.")] = "",
    as_json: JsonOption = False,
) -> None:
    r"""Make a pack of a case: records, signed manifest, report in Chinese and English, verifiers.

    If a number has several cases, each gets a pack in its own folder inside the new folder. Name an
    episode or an action to get only one.

    \b
    Examples:
      otpguard evidence make 13900000001 --document 调证字2026-17 \
        --authority 某公安局 -o pack
      otpguard evidence make 13900000001 --store -o pack  # what topics forgot too
      otpguard evidence make 1:sms.delivery.v1:7:123456 \
        --from records.jsonl --key pack.pem -o pack
    """
    own = settings.evidence
    cover = pack_report.Cover(
        own.unit, own.contact, authority, document, received, officer, own.zone
    )
    if store and from_ is not None:
        raise UsageError(tr("--store and --from are two sources: name one"))
    pdf.require()
    key_of_pack = signer.signer(settings, key)
    if out.exists():
        raise UsageError(
            tr("{out} is there already: a pack gets a folder of its own").format(out=out)
        )
    found = (
        _choose_stored(settings, named) if store else _choose_cases(settings, named, since, from_)
    )
    making = packs.Making.of(settings, key_of_pack, cover, clock.now_ms())
    fingerprint = key_of_pack.public.fingerprint
    made = _make_verified(found, making, out)
    if as_json:
        documents = [
            {"pack": folder, "fingerprint": fingerprint, **manifest}
            for folder, manifest in made.items()
        ]
        write_json(documents[0] if len(documents) == 1 else documents)
        return
    if len(found) > 1:
        typer.echo(tr("{n} cases of {named}, a pack of each:").format(n=len(found), named=named))
    _show_made(made)
    typer.echo(_describe_signature(fingerprint))


def _make_verified(
    found: Sequence[pack_records.Chosen], making: packs.Making, out: Path
) -> dict[str, dict[str, Any]]:
    """Write a pack of each case, and return their manifests by folder.

    Raise UnavailableError for a pack that does not verify; its folder is removed.
    """
    made: dict[str, dict[str, Any]] = {}
    for chosen in found:
        name = re.sub(r"[^A-Za-z0-9.-]", "-", chosen.episode_id)[:80]
        folder = out if len(found) == 1 else out / name
        made[str(folder)] = packs.make(chosen, making, folder)
        if wrong := verifier.verify(folder, making.key.public.fingerprint).wrong:
            shutil.rmtree(folder, ignore_errors=True)  # found out in court it is worse than none
            raise UnavailableError(
                tr("the pack that was made does not verify, and was taken away: {what}").format(
                    what=wrong[0]
                )
            )
    return made


def _show_made(made: Mapping[str, Mapping[str, Any]]) -> None:
    for folder_, manifest in made.items():
        typer.echo(
            tr("{out}: {records} of case {case}").format(
                out=folder_,
                records=trn("{n} record", "{n} records", manifest["records"]),
                case=manifest["episode"],
            )
        )
        for gap in manifest["gaps"]:
            typer.echo(tr("gap: {gap}").format(gap=gap.get(current_language(), gap["en"])))


@app.command()
def extract(
    pack: PackArgument,
    out: OutOption,
    *,
    platform: Annotated[str, typer.Option("--platform", help="Key, such as sig:示例购物.")],
) -> None:
    r"""Reduce a pack to one platform's messages, with proofs that the signed pack has them.

    \b
    Example:
      otpguard evidence extract pack --platform sig:示例购物 -o for-the-platform
    """
    n = packs.extract(pack, platform, out)
    typer.echo(
        tr("{out}: {records} of {platform}").format(
            out=out, records=trn("{n} record", "{n} records", n), platform=platform
        )
    )


@app.command()
def verify(
    pack: PackArgument,
    *,
    fingerprint: Annotated[
        str,
        typer.Option(
            "--fingerprint",
            help="Fingerprint of the signer. Take it from elsewhere, not from the pack.",
        ),
    ],
    authority: Annotated[
        Path | None,
        typer.Option("--tsa-ca", help="Certificates of the time-stamping authority (PEM)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Verify a pack or a signed report: exit code 1 if it was changed, 4 for an extract.

    \b
    Example:
      otpguard evidence verify pack --fingerprint "1f2e 3d4c …"
    """
    try:
        told = verifier.verify(pack, pack_keys.fingerprint_of(fingerprint), authority=authority)
    except canonical.PackError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{error.filename or pack}: {error.strerror}") from None
    document = {
        "verified": not (told.wrong or told.extract),
        "wrong": told.wrong,
        "extract": told.extract,
        "report": told.report,
        "records": told.records,
        "signer": told.signer,
        "stamped": told.stamped,
        "stamp_checked": told.stamp_checked,
        **({"manifest": told.manifest} if not told.wrong else {}),
    }
    write_lines(document, _describe_verdict(told), as_json=as_json)
    if told.wrong or told.extract:
        raise typer.Exit(Exit.NO if told.wrong else Exit.EXTRACT)


@app.command()
def stamp(
    pack: PackArgument,
    settings: SettingsOption,
    *,
    key: KeyOption = "",
    url: Annotated[
        str,
        typer.Option(
            "--url", help="URL of the time-stamping authority.", show_default="evidence.tsa_url"
        ),
    ] = "",
    token: Annotated[
        Path | None, typer.Option("--token", help="Attach this token (TimeStampResp, DER).")
    ] = None,
    query: Annotated[
        Path | None,
        typer.Option("--query", help="Write the request into a file, to be sent by hand."),
    ] = None,
) -> None:
    r"""Add the time stamp of an authority (RFC 3161) to a pack.

    \b
    Examples:
      otpguard evidence stamp pack --url https://tsa.example/tsr
      otpguard evidence stamp pack --query pack.tsq    # to the authority, by hand
      otpguard evidence stamp pack --token pack.tsr    # and back
    """
    manifest = stamps.manifest_of(pack)
    if query is not None:
        if query.resolve().is_relative_to(pack.resolve()):
            raise UsageError(tr("{file}: in a pack are its own files alone").format(file=query))
        with writing(query):
            replace_file(query, stamps.query(manifest))
        typer.echo(tr("{file}: bring it to the authority").format(file=query))
        return
    where = url or settings.evidence.tsa_url
    if token is None and not where:
        raise UsageError(tr("name --token, --query, --url, or evidence.tsa_url"))
    answer = (
        read_bytes(token, UsageError) if token is not None else stamps.fetch_token(where, manifest)
    )
    try:
        at = stamps.attach(pack, signer.signer(settings, key), answer)
    except canonical.PackError as error:
        raise UsageError(tr("{pack}: {error}").format(pack=pack, error=error)) from None
    typer.echo(tr("{pack}: stamped at {at}").format(pack=pack, at=at.isoformat()))


@app.command()
def repeat(
    pack: PackArgument,
    events: Annotated[
        str,
        typer.Argument(
            help="Events of the input topic (JSON lines, .gz too), - for stdin.", metavar="EVENTS"
        ),
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    r"""Repeat decisions from retained events with the pack's settings: exit code 1 if one differs.

    Events are of one partition, from the time on when the recipient's memory began.

    \b
    Example:
      otpguard evidence repeat pack partition-7.jsonl.gz
    """
    with open_lines(events) as lines:
        found = repeats.repeat(pack, lines)
    said = tr("{same} of {all} decisions came out the same, from {n} events").format(
        same=found.same, all=found.same + len(found.other), n=found.events
    )
    write_lines(
        {"same": found.same, "other": found.other, "events": found.events},
        [said, *(tr("record {n}: not repeated").format(n=n) for n in found.other)],
        as_json=as_json,
    )
    if found.other:
        raise typer.Exit(Exit.NO)


@app.command("text-12321")
def text_12321(
    named: NamedArgument,
    settings: SettingsOption,
    *,
    since: SinceOption = "180d",
    from_: FromOption = None,
) -> None:
    r"""Print the text of a report to 12321, in Chinese: whole sender numbers and times, to copy.

    \b
    Example:
      otpguard evidence text-12321 13900000001
    """
    chosen, *_ = _choose_cases(settings, named, since, from_)
    for line in complaint.lines(chosen, ZoneInfo(settings.evidence.zone)):
        typer.echo(escape_unprintable(line))


@keys.command("new")
def new(
    out: Annotated[Path, typer.Option("--out", "-o", help="New file for the key.")],
) -> None:
    r"""Make a pack key, Ed25519 and P-256, in a file that nobody else may read.

    \b
    Example:
      otpguard evidence key new --out /etc/otpguard/pack.pem
    """
    made = pack_keys.PackKey.fresh()
    _write_private(out, made.to_pem())
    typer.echo(_describe_signature(made.public.fingerprint))


@keys.command("show")
def show(settings: SettingsOption, *, key: KeyOption = "", as_json: JsonOption = False) -> None:
    r"""Show the fingerprint, to publish it on the unit's site and in letters.

    \b
    Example:
      otpguard evidence key show --key /etc/otpguard/pack.pem
    """
    public = signer.signer(settings, key).public
    document = {"fingerprint": public.fingerprint, **public.document()}
    write_lines(document, [_describe_signature(public.fingerprint)], as_json=as_json)


@keys.command("rotate")
def rotate(
    old: Annotated[str, typer.Option("--old", metavar="FILE", help="The old key, as for --key.")],
    new_: Annotated[str, typer.Option("--new", metavar="FILE", help="The new key, as for --key.")],
    signers: Annotated[
        Path,
        typer.Option("--list", help="File with the list of successors; a line is added to it."),
    ],
    settings: SettingsOption,
) -> None:
    r"""Let the old key sign the new one, so that people who know the old fingerprint can trust it.

    Do not use this after a theft: the thief could do the same. Publish the new fingerprint instead.

    \b
    Example:
      otpguard evidence key rotate --old pack.pem --new pack-2027.pem \
        --list signers.jsonl
    """
    before = read_bytes(signers, UsageError) if signers.exists() else b""
    before_it, public = signer.signer(settings, old), signer.signer(settings, new_).public
    if before_it.public == public:
        raise UsageError(tr("--old and --new are the same key"))
    line = signed_envelope.succession(before_it, public, clock.utc(clock.now_ms()))
    try:
        signed_envelope.successors(before + line)
        replace_file(signers, before + line)
    except canonical.PackError as error:
        raise UsageError(tr("{file}: {error}").format(file=signers, error=error)) from None
    except OSError as error:
        raise unwritten(signers, error) from None
    typer.echo(_describe_signature(public.fingerprint))


def _choose_cases(
    settings: configs.Settings, named: str, since: str, from_: str | None
) -> list[pack_records.Chosen]:
    """Choose cases from a file or from the topics. Raise UsageError if there is none."""
    refuse_nobody(named)
    recipient = settings.intake().numbers.canonical(named)
    if from_ is None:
        names = [*(contract.source for contract in pack_records.KINDS.values()), "everyone"]
        records = opening.log_records(settings, ago_ms(since), names, progress)
        chosen = pack_records.choose(pack_records.from_log(records), named, recipient)
    else:
        with open_lines(from_) as file:
            chosen = pack_records.choose(pack_records.from_lines(from_, file), named, recipient)
    if not chosen:
        raise UsageError(
            tr("no case of {named!r} in {source}").format(named=named, source=from_ or since)
        )
    return chosen


def _choose_stored(settings: configs.Settings, named: str) -> list[pack_records.Chosen]:
    """Choose cases from the case store. Raise UsageError if it has none."""
    refuse_nobody(named)
    if not opening.there(settings):
        raise UsageError(
            tr("there is no case store that you may read: `otpguard desk index` fills desk.store")
        )
    with closing(opening.open_store(settings)) as store:
        chosen = [
            pack_records.gather_records(
                store.case(line.episode_id), pack_records.from_store(store.records(line.episode_id))
            )
            for line in store.find_named(named, settings.intake().numbers.canonical(named))
        ]
        behind_s = store.freshness().lag_ms // 1000
    if not chosen:
        raise UsageError(
            tr("no case of {named!r} in the case store: it was deleted, or is not read yet").format(
                named=named
            )
        )
    for each in chosen:
        each.behind_s = behind_s
    return chosen


def _write_private(out: Path, text: str) -> None:
    """Write a new file that only its owner may read; leave none on failure.

    Raise UsageError if it is there or cannot be made, UnavailableError if there is no room.
    """
    with writing(out):
        number = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        out.unlink(missing_ok=True)
        raise unwritten(out, error) from None


def _describe_signature(fingerprint: str) -> str:
    return tr("fingerprint of the signer: {fingerprint}").format(
        fingerprint=pack_keys.in_groups(fingerprint)
    )


def _describe_verdict(told: verifier.PackVerdict) -> Iterator[str]:
    if told.wrong:
        yield from (tr("wrong: {what}").format(what=each) for each in told.wrong)
        yield tr("not verified: the pack is not as it was made")
        return
    n, manifest = told.records, told.manifest
    form = tr("case {case}: {n} of {all} records, made by {unit}")
    made = manifest["made"]
    if "month" in manifest:
        form = tr("report of {month}, made by {unit}")
        yield form.format(month=manifest["month"], unit=made["by"] or "-")
    else:
        yield form.format(
            case=manifest["episode"], n=n, all=manifest["records"], unit=made["by"] or "-"
        )
    yield tr("signed at {at} by the signer's clock, by {program}").format(
        at=made["at"], program=made["program"]
    )
    for gap in manifest.get("gaps", ()):
        yield tr("gap: {gap}").format(gap=gap.get(current_language(), gap["en"]))
    if told.stamped:
        form = tr("time stamp {at}; the authority's signature was not checked (--tsa-ca)")
        if told.stamp_checked:
            form = tr("time stamp {at}, by an authority of these certificates")
        yield form.format(at=told.stamped)
    last = tr("verified")
    if told.extract:
        form = tr("an extract: {n} of {all} records are of the signed pack, others are not here")
        last = form.format(n=n, all=manifest["records"])
    yield last

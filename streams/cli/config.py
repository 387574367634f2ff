"""`otpguard config`: shows the settings with their sources, and checks them."""

from __future__ import annotations

from typing import Annotated

import typer

from streams import config as configs
from streams.cli.shared import (
    ConfigOption,
    JsonOption,
    file_of,
    group,
    settings_of,
    write_json,
    write_list,
)
from streams.common import MASK, ConfigError, toml_value, tr

app = group("Check and show the settings.")


@app.command()
def show(
    config: ConfigOption = None,
    *,
    reasons: Annotated[bool, typer.Option("--reasons", help="Say what each is for.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Show every setting, its value and where it comes from; secrets are masked.

    \b
    Examples:
      otpguard config show --reasons
      OTPGUARD_KAFKA_BOOTSTRAP=k1:9092 otpguard config show --json
    """
    file = file_of(config)
    settings = list(configs.effective(settings_of(file), file))
    fields = ["name", "value", "source"] + ["reason"] * reasons
    rows = []
    for each in settings:
        source = tr("default") if each["source"] == "default" else each["source"]
        shown = each | {"reason": tr(each["reason"]), "source": source}
        rows.append([shown[field] for field in fields])
    write_list(settings, fields, rows, as_json=as_json)


@app.command()
def template(config: ConfigOption = None) -> None:
    r"""Write a settings file with every setting as it is now, its reason above it.

    Secrets are left out, and so is what has no value. Defaults are comments.

    \b
    Example:
      otpguard config template > otpguard.toml
    """
    section = ""
    file = file_of(config)
    for setting in configs.effective(settings_of(file), file):
        head, _, name = setting["name"].rpartition(".")
        if head != section:
            typer.echo(f"\n[{head}]")
            if head in configs.RESTARTS:
                typer.echo(f"# {tr(configs.RESTARTS[head])}")
            section = head
        value = toml_value(setting["value"])
        if value is None or name in ("password", "secret"):
            value, setting["source"] = '""', "default"
        elif MASK in value:
            setting["source"] = "default"  # not what it is: to be filled in by who knows it
        typer.echo(f"# {tr(setting['reason'])}")
        typer.echo(f"{'# ' if setting['source'] == 'default' else ''}{name} = {value}")


@app.command()
def check(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    r"""Read the settings and every file they name; exits with 78 and one line for each error.

    \b
    Examples:
      otpguard config check --config /etc/otpguard/otpguard.toml
      otpguard config check --json
    """
    try:
        settings = settings_of(config)
        settings.params()
        settings.check_country()
        _, overridden = settings.registry()
    except ConfigError as error:
        if as_json:
            problems = str(error).splitlines()
            write_json({"problems": problems, "fingerprint": None, "registry_overrides": []})
            raise typer.Exit(error.exit_code) from None
        raise
    if as_json:
        found = {"fingerprint": settings.fingerprint(), "registry_overrides": overridden}
        write_json({"problems": [], **found})
        return
    for sentence in overridden:
        typer.echo(tr("note: {sentence}").format(sentence=sentence))
    typer.echo(
        tr("settings are right (fingerprint {fingerprint})").format(
            fingerprint=settings.fingerprint()
        )
    )

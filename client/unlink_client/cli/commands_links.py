"""`list`, `create`, `export`, `qr`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx2
import typer

from unlink_client.cli.exits import USAGE, CommandError
from unlink_client.cli.filter_options import parse_moment, with_filters
from unlink_client.cli.listing import Limit, write_list
from unlink_client.cli.output import Output, write_line, write_links
from unlink_client.cli.session import connected
from unlink_client.cli.settings import private_file, writing
from unlink_client.cli.terminal import progress_bar, say
from unlink_client.filters import FilterArgs
from unlink_client.models import NewLink


@with_filters
def list_links(
    context: typer.Context,
    *,
    conditions: FilterArgs,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format.")] = "table",
    limit: Limit = None,
) -> None:
    """List links, newest first.

    unlinkctl list --tag tour --max-clicks 0

    unlinkctl list --created-before 90d -o csv > old-links.csv

    unlinkctl list --expired -o ids | unlinkctl delete -
    """
    with connected(context) as unlink:
        write_list(
            lambda size: unlink.links(page_size=size, **conditions),
            write_links,
            output,
            limit=limit,
            largest_page=1_000,
            none="No links.",
        )


def create(
    context: typer.Context,
    urls: Annotated[
        list[str] | None, typer.Argument(help="Destinations.", metavar="URL...")
    ] = None,
    *,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Create the links of a CSV file instead.")
    ] = None,
    code: Annotated[str | None, typer.Option(help="Short code, for one URL.")] = None,
    title: Annotated[str | None, typer.Option(help="Title.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="Tag; may be repeated.")] = None,
    external_id: Annotated[str | None, typer.Option(help="An id of yours, for one URL.")] = None,
    expires: Annotated[
        Any,
        typer.Option(
            parser=parse_moment, metavar="TIME", help="When redirects end: a date or a time."
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format.")] = "table",
) -> None:
    """Create links from URLs, or from a CSV file.

    unlinkctl create https://example.com/tour --code tour --tag 2026

    unlinkctl create --csv links.csv
    """
    if csv is not None:
        if urls or code or title or external_id or expires or output != "table":
            raise CommandError("With --csv only --tag can be given", code=USAGE)
        from unlink_client.cli.commands_import import run_import

        run_import(context, "csv", csv, extra_tags=tags or [])
        return
    if not urls:
        raise CommandError("Give at least one URL, or --csv FILE", code=USAGE)
    if len(urls) > 1 and (code or external_id):
        raise CommandError("--code and --external-id are for one URL", code=USAGE)
    if expires is not None and expires <= datetime.now(UTC):
        raise CommandError("--expires is in the past: 30d means 30 days ago", code=USAGE)
    new = [
        NewLink(
            original_url=url,
            short_code=code,
            title=title,
            tags=tuple(tags or ()),
            external_id=external_id,
            expires_at=expires,
        )
        for url in urls
    ]
    with connected(context) as unlink:
        created = [unlink.create(new[0])] if len(new) == 1 else list(unlink.create_all(new))
    if output == "table":
        for link in created:
            write_line(link.short_url)
    else:
        write_links(created, output)


def export(
    context: typer.Context,
    link: Annotated[str, typer.Argument(help="UUID or short code.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; standard output unless given.")
    ] = None,
) -> None:
    """Write a link and every click of it as NDJSON.

    unlinkctl export summer -o summer.ndjson

    The file has the IP addresses of visitors, so only its owner may read it.
    """
    if output is not None and not output.parent.is_dir():
        raise CommandError(f"There is no directory {output.parent}", code=USAGE)
    with connected(context) as unlink:
        with progress_bar("Exporting", 1):
            job = unlink.start_export(link)
            done = unlink.wait_for_export(link, job.id)
        if done.url is None:
            raise CommandError("The service gave no URL of the export")
        _download(done.url, output)


def _download(url: str, target: Path | None) -> None:
    try:
        # The URL is signed: no key belongs there.
        with httpx2.stream("GET", url, timeout=60, follow_redirects=True) as source:
            if not source.is_success:
                raise CommandError(f"The export could not be fetched: HTTP {source.status_code}")
            if target is None:
                sys.stdout.buffer.writelines(source.iter_bytes())
                sys.stdout.buffer.flush()
                return
            with writing(target), private_file(target) as file:
                file.writelines(source.iter_bytes())
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise CommandError(f"The export could not be fetched: {error}") from None
    say(f"Wrote {target}")


def qr(
    context: typer.Context,
    link: Annotated[str, typer.Argument(help="UUID or short code.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File; its ending chooses png or svg."),
    ] = None,
    *,
    size: Annotated[int | None, typer.Option(help="Pixels a side, 128 to 2048.")] = None,
    color: Annotated[str | None, typer.Option(help="Colour of the code, as 1a237e.")] = None,
    bgcolor: Annotated[str | None, typer.Option(help="Colour of the background.")] = None,
) -> None:
    """Write the QR code of a link's short URL.

    unlinkctl qr summer -o summer.svg
    """
    ending = output.suffix.lower().lstrip(".") if output is not None else ""
    if ending not in ("", "png", "svg"):
        raise CommandError(f"A QR code is .png or .svg, not .{ending}", code=USAGE)
    kind: Literal["png", "svg"] = "svg" if ending == "svg" else "png"
    if output is None and sys.stdout.isatty():
        raise CommandError("A terminal cannot show an image: give -o FILE", code=USAGE)
    with connected(context) as unlink:
        image = unlink.qr(link, format=kind, size=size, color=color, bgcolor=bgcolor)
    if output is None:
        sys.stdout.buffer.write(image)
        return
    with writing(output):
        output.write_bytes(image)
    say(f"Wrote {output}")

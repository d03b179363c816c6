"""Commands and the options that all of them have."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from hvsdk._cli.exits import Exit, exit_for
from hvsdk._cli.output import Format
from hvsdk._cli.session import Session
from hvsdk._display import neutralise
from hvsdk._reader_gone import reader_gone
from hvsdk.errors import HvsdkError

__all__ = ["Keys", "Name", "State", "Tag", "command"]

Keys = Annotated[
    list[str] | None, typer.Argument(help="Names, patterns, UUIDs, MAC or IP addresses, ids.", show_default=False)
]
Name = Annotated[str | None, typer.Option("--name", help="Domains whose name fits this pattern.")]
State = Annotated[str | None, typer.Option("--state", help="Domains in this state.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Domains with this tag.")]

_COMMON: dict[str, tuple[Any, Any]] = {
    "fleet": (
        Annotated[str | None, typer.Option("--fleet", help="File that names the hosts.", envvar="HVSDK_FLEET")],
        None,
    ),
    "url": (Annotated[list[str] | None, typer.Option("--url", help="A host, in place of a fleet; repeatable.")], None),
    "host": (
        Annotated[list[str] | None, typer.Option("--host", help="Only these hosts of the fleet; a pattern.")],
        None,
    ),
    "host_tag": (Annotated[list[str] | None, typer.Option("--host-tag", help="Only hosts with this tag.")], None),
    "ask": (Annotated[bool, typer.Option("--ask", help="Ask for the password of --url at the terminal.")], False),
    "verify": (
        Annotated[str | None, typer.Option("--verify", help="CA file or sha256: fingerprint for --url.")],
        None,
    ),
    "readonly": (Annotated[bool, typer.Option("--readonly", help="Refuse what changes something.")], False),
    "as_json": (Annotated[bool, typer.Option("--json", help="Print JSON.")], False),
    "as_csv": (Annotated[bool, typer.Option("--csv", help="Print CSV.")], False),
}


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., Exit | None]], Callable[..., Exit | None]]:
    """Make a function a command: it is given a `Session` first, and has the options that all commands have.

    What it returns is the exit code; an error becomes one line and its code.
    """

    def register(function: Callable[..., Exit | None]) -> Callable[..., Exit | None]:
        signature = inspect.signature(function, eval_str=True)
        own = [parameter for parameter in signature.parameters.values() if parameter.name != "session"]

        @functools.wraps(function)
        def run(**given: Any) -> None:
            common = {key: given.pop(key) for key in _COMMON}
            raise typer.Exit(_run(function, common, given))

        extra = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in _COMMON.items()
        ]
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        run.__signature__ = inspect.Signature([*own, *extra])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *extra]}
        del run.__wrapped__
        app.command(name)(run)
        return function

    return register


def _run(function: Callable[..., Exit | None], common: dict[str, Any], given: dict[str, Any]) -> int:
    if common["as_json"] and common["as_csv"]:
        print("--json and --csv do not go together", file=sys.stderr)
        return Exit.USAGE
    format = Format.JSON if common["as_json"] else Format.CSV if common["as_csv"] else Format.TABLE
    session = Session(
        fleet=common["fleet"],
        urls=common["url"] or [],
        hosts=common["host"] or [],
        host_tags=common["host_tag"] or [],
        ask=common["ask"],
        verify=common["verify"],
        readonly=common["readonly"],
        format=format,
    )
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            return function(session, **given) or Exit.DONE
    except BrokenPipeError:
        return reader_gone()
    except (HvsdkError, ValueError, TypeError, OSError) as error:
        print(neutralise(f"{type(error).__name__}: {error}"), file=sys.stderr)
        return exit_for(error)
    finally:
        session.close()


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    """Print a warning for people: what it says, and not where in hvsdk it comes from."""
    print(neutralise(f"warning: {message}"), file=sys.stderr)

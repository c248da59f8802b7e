"""`unlinkctl delete` and `import` under kill -9 at many moments: nothing is lost, nothing twice."""

from __future__ import annotations

import os
import random
import select
import signal
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.client import command_process
from tests.client.command_process import CommandProcess, Streams
from tests.client.fake_service import FakeUnlink, Request

Start = Callable[..., CommandProcess]


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Start:
    """Start the command in a separate process; its arguments as on a command line."""

    def started(
        *arguments: str, stdin: str | Path = os.devnull, file_bytes: int | None = None
    ) -> CommandProcess:
        directory = Path(tempfile.mkdtemp(dir=tmp_path))
        streams = Streams(str(stdin), str(directory / "out"), str(directory / "err"))
        return command_process.start(
            environment, *arguments, streams=streams, file_bytes=file_bytes
        )

    return started


def until_done(start: Start, *arguments: str, stdin: str | Path = os.devnull, kills: int) -> int:
    """Run the command and kill it, `kills` times at random moments; then let it end.

    How often a kill came before the end.
    """
    chance = random.Random(len(arguments) + kills)
    killed = 0
    for _ in range(kills):
        process = start(*arguments, stdin=stdin)
        try:
            process.wait(chance.uniform(0.05, 1.3))
        except TimeoutError:
            process.kill()
            killed += 1
        process.communicate()
        if process.returncode == 0:
            return killed
    process = start(*arguments, stdin=stdin)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    return killed


def write_ids(path: Path, ids: list[str]) -> Path:
    path.write_text("".join(f"{each}\n" for each in ids))
    return path


@pytest.fixture
def slow(service: FakeUnlink) -> FakeUnlink:
    """The service takes a while before and after it works, so that kills come everywhere."""
    chance = random.Random(7)
    pause = threading.Event()

    def wait(_: Request) -> None:
        pause.wait(chance.uniform(0, 0.4))

    service.before = wait
    service.after = wait
    return service


def test_a_command_that_is_killed_at_its_start_has_no_output(start: Start) -> None:
    process = start("--version")
    process.kill()
    assert process.communicate() == (b"", b"")


@pytest.mark.exhaustive
def test_a_delete_that_is_killed_at_random_deletes_each_id_once(
    slow: FakeUnlink, start: Start, tmp_path: Path
) -> None:
    ids = slow.add(25_000)
    path = write_ids(tmp_path / "ids.txt", ids)
    killed = until_done(start, "delete", "-", "--yes", stdin=path, kills=10)
    assert killed > 0
    assert slow.deleted == dict.fromkeys(ids, 1)
    bodies = {each.key: tuple(each.body["ids"]) for each in slow.delete_requests}
    # Three requests, each sent once or several times; each key always has the same ids.
    assert sorted(map(len, bodies.values())) == [5_000, 10_000, 10_000]
    assert all(tuple(each.body["ids"]) == bodies[each.key] for each in slow.delete_requests)
    assert len(slow.deletions) == 3


@pytest.mark.parametrize("moment", ["before the work", "before the response", "after the response"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_kill_around_each_request_deletes_each_id_once(
    service: FakeUnlink, start: Start, tmp_path: Path, moment: str, number: int
) -> None:
    ids = service.add(250)
    service.max_ids = 100
    path = write_ids(tmp_path / "ids.txt", ids)
    reached, go_on = threading.Event(), threading.Event()

    def hold(request: Request) -> None:
        # The first request is refused for its size, so the chunks are the second to the fourth.
        if request.deletes and len(service.delete_requests) == number + 1:
            reached.set()
            if moment != "after the response":
                go_on.wait(10)

    if moment == "before the work":
        service.before = hold
    else:
        service.after = hold
    process = start("delete", f"@{path}", "--yes")
    assert reached.wait(30)
    process.kill()
    process.communicate()
    go_on.set()
    service.before = lambda _: None
    service.after = lambda _: None
    process = start("delete", "--resume")
    out, err = process.communicate(timeout=60)
    # Killed after its last response, the delete may have come to its end.
    assert process.returncode == 0 or b"no interrupted delete" in err, (out, err)
    assert service.deleted == dict.fromkeys(ids, 1)


def test_a_delete_that_is_killed_while_it_writes_its_result_writes_it_when_repeated(
    service: FakeUnlink, start: Start, environment: dict[str, str], tmp_path: Path
) -> None:
    # More than a pipe takes, so the command waits for a reader.
    ids = service.add(10_000)
    delete = ("delete", f"@{write_ids(tmp_path / 'ids.txt', ids)}", "--yes", "--output", "ids")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    streams = Streams(os.devnull, str(pipe), str(tmp_path / "err"))
    process = command_process.start(environment, *delete, streams=streams)
    assert select.select([reader], [], [], 30)[0]
    process.kill()
    process.wait(30)
    os.close(reader)

    repeated = start(*delete)
    out, err = repeated.communicate()
    assert repeated.returncode == 0, err
    assert out.decode().split() == ids
    assert service.deleted == dict.fromkeys(ids, 1)
    _, err = start("delete", "--resume").communicate()
    assert b"no interrupted delete" in err


@pytest.mark.exhaustive
def test_an_import_that_is_killed_at_random_creates_each_link_once(
    slow: FakeUnlink, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "links.csv"
    rows = "".join(f"code-{n},https://example.com/{n}\n" for n in range(3_500))
    path.write_text("shortCode,originalUrl\n" + rows)
    arguments = ("import", "csv", str(path), "--rejects", str(tmp_path / "rejects.csv"))
    until_done(start, *arguments, kills=8)
    codes = [link["shortCode"] for link in slow.links.values()]
    assert sorted(codes) == sorted(f"code-{n}" for n in range(3_500))
    assert not (tmp_path / "rejects.csv").exists()


def test_a_disk_that_is_full_sends_nothing(
    service: FakeUnlink, start: Start, tmp_path: Path
) -> None:
    path = write_ids(tmp_path / "ids.txt", service.add(25_000))

    process = start("delete", f"@{path}", "--yes", file_bytes=100_000)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Cannot write the state file" in err
    assert service.delete_requests == []
    # With room again, the same command deletes everything.
    process = start("delete", f"@{path}", "--yes")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert set(service.deleted.values()) == {1}


def test_ctrl_c_names_the_running_deletion(service: FakeUnlink, start: Start) -> None:
    ids = service.add(1)
    waiting = threading.Event()

    def after(request: Request) -> None:
        for record in service.deletions.values():
            record |= {"state": "deleting", "counts": record["counts"] | {"pending": 1}}
        if request.method == "GET" and request.path.startswith("/api/deletions/"):
            waiting.set()

    service.after = after
    process = start("delete", *ids, "--yes")
    assert waiting.wait(30)
    # Python drops an interrupt that arrives in a destructor; a person presses the keys again.
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        with suppress(TimeoutError):
            process.wait(5)
            break
    _, err = process.communicate(timeout=5)
    (deletion,) = service.deletions
    assert process.returncode == 130
    assert f"unlinkctl deletions {deletion} --wait" in " ".join(err.decode().split())

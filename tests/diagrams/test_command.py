"""``turnlock diagram``: prints, writes, checks; and its exit codes are relied on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from turnlock.cli.diagram import diagram
from turnlock.diagrams import Format, Subject, files, render

MARKED = "# Mine\n\n<!-- turnlock diagram turn -->\n<!-- turnlock end -->\n\nThe rest.\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def readme() -> Path:
    path = Path("README.md")
    path.write_bytes(MARKED.encode())
    return path


def run(*args: str) -> Result:
    return CliRunner().invoke(diagram, args)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("format_", list(Format))
@pytest.mark.parametrize("subject", list(Subject))
def test_picture_is_printed(subject: Subject, format_: Format) -> None:
    """What is asked for goes to stdout as it is, and nothing else does."""
    result = run(subject.value, "--format", format_.value)
    assert (result.exit_code, result.stdout, result.stderr) == (0, render(subject, format_), "")


def test_both_in_mermaid_is_the_default() -> None:
    """Without arguments the whole picture comes out, ready for GitHub."""
    assert run().stdout == render("both", "mermaid")


def test_folder_gets_the_full_set() -> None:
    """A folder is made when it is missing, holds every picture afterwards, and passes its check."""
    result = run("--write", "pictures")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert contents(Path("pictures")) == {name: text.encode() for name, text in files().items()}
    assert run("--check", "pictures").exit_code == 0


def test_writing_twice_changes_nothing(readme: Path) -> None:
    """What is current is not even opened for writing: its time stays."""
    run("--write", "pictures", "README.md")
    for path in (readme, *Path("pictures").iterdir()):
        os.utime(path, (1, 1))
    result = run("--write", "pictures", "README.md")
    assert (result.exit_code, result.output) == (0, "")
    assert {path.stat().st_mtime for path in (readme, *Path("pictures").iterdir())} == {1}


def test_other_files_of_a_folder_are_left_alone() -> None:
    """A folder may hold more than ours, also files that look like ours."""
    Path("pictures").mkdir()
    Path("pictures", "mine.mmd").write_text("mine")
    run("--write", "pictures")
    assert Path("pictures", "mine.mmd").read_text() == "mine"
    assert run("--check", "pictures").exit_code == 0


def test_marked_file_is_written_and_checked(readme: Path) -> None:
    """Only what stands between the markers changes; then the check passes."""
    assert run("--check", "README.md").exit_code == 1
    assert run("--write", "README.md").exit_code == 0
    text = readme.read_text()
    assert text.startswith("# Mine\n\n<!-- turnlock diagram turn -->\n")
    assert text.endswith("<!-- turnlock end -->\n\nThe rest.\n")
    assert render("turn") in text
    assert run("--check", "README.md").exit_code == 0


def test_line_ends_survive_on_disk(readme: Path) -> None:
    """A file with carriage returns is written with them."""
    readme.write_bytes(MARKED.replace("\n", "\r\n").encode())
    run("--write", "README.md")
    written = readme.read_bytes()
    assert written.count(b"\n") == written.count(b"\r\n") > 20
    assert run("--check", "README.md").exit_code == 0


@pytest.mark.parametrize(
    "args",
    [
        ("--check", "pictures", "README.md"),
        ("--check=pictures", "README.md"),
        ("--check", "pictures", "--check", "README.md"),
        ("--check", "README.md", "--check=pictures"),
    ],
)
def test_an_option_takes_several_paths(args: tuple[str, ...], readme: Path) -> None:
    """One flag for all, or one for each: every path is looked at."""
    result = run(*args)
    assert result.exit_code == 1
    assert "pictures/turn.mmd: missing\n" in result.stdout
    assert "README.md: stale\n" in result.stdout
    assert run(*(arg.replace("--check", "--write") for arg in args)).exit_code == 0
    assert run(*args).exit_code == 0


def test_stale_file_is_named_with_its_difference_and_repair() -> None:
    """Who reads the log of a failed check knows which file, what differs, and what to type."""
    run("--write", "my pictures")
    stale = Path("my pictures", "turn.mmd")
    stale.write_text(stale.read_text().replace("respond, fail", "respond"))
    Path("my pictures", "both.md").unlink()
    result = run("--check", "my pictures")
    assert result.exit_code == 1
    assert result.stdout == "my pictures/turn.mmd: stale\nmy pictures/both.md: missing\n"
    assert "-    turn_responding --> turn_settling : respond\n" in result.stderr
    assert "+    turn_responding --> turn_settling : respond, fail\n" in result.stderr
    assert result.stderr.endswith("Repair with: turnlock diagram --write 'my pictures'\n")


def test_garbled_picture_is_written_anew() -> None:
    """A file of ours is stale whatever it holds, also no text at all."""
    run("--write", "pictures")
    Path("pictures", "turn.dot").write_bytes(b"\xff\xfe")
    assert run("--check", "pictures").exit_code == 1
    assert run("--write", "pictures").exit_code == 0
    assert run("--check", "pictures").exit_code == 0


def test_difference_is_short(readme: Path) -> None:
    """A whole new picture does not fill the screen."""
    result = run("--check", "README.md")
    assert len(result.stderr.splitlines()) < 20
    assert "more lines" in result.stderr


def test_check_changes_nothing(readme: Path) -> None:
    """To look is not to write."""
    run("--check", "pictures", "README.md")
    assert readme.read_text() == MARKED
    assert not Path("pictures").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# No marker\n", "<!-- turnlock diagram both --format mermaid -->\n<!-- turnlock end -->"),
        (b"a\n\n<!-- turnlock diagram turn -->\n", "README.md: line 3: this diagram is not closed"),
        (b"<!-- turnlock chart -->\n", "README.md: line 1: unknown marker 'chart'"),
        (b"\xff\xfe", "README.md: 'utf-8' codec"),
    ],
    ids=["no marker", "not closed", "unknown", "no text"],
)
@pytest.mark.parametrize("flag", ["--write", "--check"])
def test_unreadable_file_wins(flag: str, content: bytes, said: str, readme: Path) -> None:
    """A file that cannot be followed is exit code 2, also beside stale ones, and nothing is written then."""
    readme.write_bytes(content)
    result = run(flag, "pictures", "README.md")
    assert result.exit_code == 2
    assert said in result.stderr
    assert readme.read_bytes() == content
    assert not Path("pictures").exists()


@pytest.mark.parametrize("flag", ["--write", "--check"])
def test_missing_file_is_unreadable(flag: str) -> None:
    """A name with a suffix is a file, and is not made: somebody misspelt it."""
    result = run(flag, "RAEDME.md")
    assert result.exit_code == 2
    assert "RAEDME.md" in result.stderr
    assert not Path("RAEDME.md").exists()


def test_folder_that_cannot_be_written_is_an_error() -> None:
    """A file stands where the folder should be, or a folder where a file should be."""
    Path("taken").write_text("a file without a suffix")
    assert run("--write", "taken").exit_code == 2
    assert run("--write", "taken/below").exit_code == 2
    Path("pictures", "turn.mmd").mkdir(parents=True)
    assert run("--check", "pictures").exit_code == 2


@pytest.mark.parametrize(
    "args",
    [
        ("--write", "a", "--check", "a"),
        ("session",),
        ("turn", "both"),
        ("--format", "svg"),
        ("--write",),
        ("--check",),
        ("--nonsense",),
    ],
    ids=" ".join,
)
def test_wrong_usage(args: tuple[str, ...]) -> None:
    """Exit code 2, a word on stderr, and nothing printed or written."""
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr
    assert list(Path().iterdir()) == []


@pytest.fixture
def _disk_full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        yield


@pytest.mark.usefixtures("_disk_full")
def test_failed_write_leaves_the_old_file(readme: Path) -> None:
    """A file is replaced in one step or not at all, and no half-written one stays behind."""
    result = run("--write", "README.md")
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["README.md"]
    assert readme.read_text() == MARKED


def test_links_and_modes_survive(tmp_path: Path) -> None:
    """A linked file is written where it is, and keeps its permissions."""
    (tmp_path / "docs").mkdir()
    real = tmp_path / "docs" / "page.md"
    real.write_text(MARKED)
    real.chmod(0o640)
    link = tmp_path / "page.md"
    link.symlink_to(real)
    assert run("--write", "page.md").exit_code == 0
    assert link.is_symlink()
    assert render("turn") in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_help_teaches() -> None:
    """Help shows examples, the markers and the exit codes, each on a line of its own."""
    text = run("--help").stdout
    for line in (
        "turnlock diagram --check diagrams README.md",
        "<!-- turnlock diagram both --format mermaid -->",
        "1  --check found something stale or missing",
    ):
        assert any(line == shown.strip() for shown in text.splitlines())


@pytest.mark.parametrize("chosen", [("turn",), ("--format", "dot")])
@pytest.mark.parametrize("flag", ["--write", "--check"])
def test_what_a_folder_gets_cannot_be_chosen(flag: str, chosen: tuple[str, ...], readme: Path) -> None:
    """A folder has every picture and a marker names its own: what would be ignored is refused."""
    result = run(*chosen, flag, "pictures")
    assert result.exit_code == 2
    assert f"leave out {chosen[-1]}." in " ".join(result.stderr.split())
    assert not (readme.parent / "pictures").exists()

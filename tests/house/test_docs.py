from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer.main

import bonescan
from bonescan import cli

HOUSE = Path(__file__).parents[2]
PAGES = sorted(HOUSE.glob("docs/**/*.md"))
GROUPS = {
    name: one.commands for name, one in typer.main.get_command(cli.app).commands.items() if hasattr(one, "commands")
}
COMMANDS = {name: one for name, one in typer.main.get_command(cli.app).commands.items() if name not in GROUPS} | {
    f"{group} {name}": one for group, commands in GROUPS.items() for name, one in commands.items()
}
OPTIONS = sorted(
    (name, option)
    for name, command in COMMANDS.items()
    for parameter in command.params
    for option in parameter.opts
    if option.startswith("-")
)


def shown_commands() -> list[tuple[str, str]]:
    """Every line in README and docs that begins with the command, as (page, line)."""
    lines = [
        (page.relative_to(HOUSE).as_posix(), line.strip().removeprefix("$ "))
        for page in [HOUSE / "README.md", *PAGES]
        for block in re.findall(r"^ *```(?:sh|console)\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S)
        for line in block.splitlines()
    ]
    return [(page, line) for page, line in lines if line.startswith("bonescan ")]


def text_of(*names: str) -> str:
    return "\n".join((HOUSE / name).read_text(encoding="utf-8") for name in names)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_documented(command):
    assert f"bonescan {command}" in text_of("docs/journeys.md")


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_every_option_is_documented(command, option):
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", text_of("docs/journeys.md")), f"{command} {option}"


def test_the_options_above_all_commands_are_documented():
    assert "`bonescan --version`" in text_of("docs/journeys.md")
    assert "BONESCAN_DEBUG=1" in text_of("docs/journeys.md")


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_every_command_shown_is_one_the_program_understands(page, line):
    words = shlex.split(re.split(r" (?:#|\|\||>) ?", line)[0])[1:]
    if words[0] in ("--help", "--version"):
        return
    words = [" ".join(words[:2]), *words[2:]] if words[0] in GROUPS else words
    command = COMMANDS[words[0]]
    arguments = [word for word in words[1:] if word not in ("--help", "-h")]
    if arguments:  # parsing raises a usage error at an unknown option or a missing value
        assert command.make_context(words[0], arguments).params


def test_every_page_is_in_the_menu_and_the_menu_has_no_gaps():
    menu = re.findall(r"[\w/-]+\.md", text_of("mkdocs.yml").partition("nav:")[2])
    assert sorted(menu) == sorted(page.relative_to(HOUSE / "docs").as_posix() for page in PAGES)


@pytest.mark.parametrize("page", [HOUSE / "README.md", HOUSE / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_out_of_the_front_pages_lead_somewhere(page):
    # the links among docs/ are checked when the site is built
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "docs/index.md"])
def test_the_front_pages_say_what_this_is_not(name):
    assert re.search(r"not a medical device; never the only basis of a decision", text_of(name), re.I)


def test_credit_for_the_skeleton_is_given():
    assert "CC BY-SA 4.0, adapted from BodyParts3D, (c) The Database Center for Life Science" in text_of("README.md")


def test_one_version_everywhere():
    assert f"\nversion: {bonescan.__version__}\n" in text_of("CITATION.cff")
    assert re.search(rf"^## {re.escape(bonescan.__version__)}\b", text_of("CHANGELOG.md"), re.M)


def test_no_path_of_one_machine_and_no_registry_setting():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of the project's own files")
    forbidden = re.compile(r"(?<![\w./])/(?:home|root|work|Users|mnt)/\w|index-" + r"url", re.I)
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = HOUSE / name
        if path.suffix in (".py", ".md", ".toml", ".yml", ".json", ".html", ".cff", ".csv", "") and path.is_file():
            content = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{name}: {hit.group()}" for hit in forbidden.finditer(content)]
    assert found == []

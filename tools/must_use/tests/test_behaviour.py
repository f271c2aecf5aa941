"""The plugin beside the rest of mypy: ignore comments, cache, daemon, parallel workers, settings, other plugins."""

import importlib.metadata
from pathlib import Path

import pytest

from .conftest import Project, Reports

SAVING = """
from returns.result import Result, Success

def save() -> Result[int, str]:
    return Success(1)
"""
NOT_SAVING = """
def save() -> int:
    return 1
"""
RAILS = """
from typing import TypeVar

T = TypeVar("T")

def railway(function: T) -> T:
    return function
"""
CALLING = "from saving import save\n\nsave()\n"
IN_A_FUNCTION = "from saving import save\n\ndef main() -> None:\n    save()\n"
ANY_END = frozenset({0, 1, 2})
UNUSED = {("calling.py", 3, "unused-result")}
UNUSED_IN_A_FUNCTION = {("calling.py", 4, "unused-result")}


class TestErrorCodes:
    def test_an_ignore_comment_silences_the_error(self, project: Project) -> None:
        project.write(saving=SAVING, calling="from saving import save\nsave()  # type: ignore[unused-result]\nsave()\n")
        assert project.mypy() == UNUSED

    def test_an_ignore_comment_that_silences_nothing_is_reported(self, project: Project) -> None:
        project.write(saving=NOT_SAVING, calling="from saving import save\n\nsave()  # type: ignore[unused-result]\n")
        assert project.mypy() == {("calling.py", 3, "unused-ignore")}

    def test_a_code_can_be_disabled(self, project: Project) -> None:
        project.write(saving=SAVING, calling=CALLING)
        project.configure(mypy='disable_error_code = ["unused-result"]')
        assert project.mypy() == set()

    def test_a_code_can_be_disabled_and_enabled_for_a_module(self, project: Project) -> None:
        project.write(saving=SAVING, calling=CALLING, other='# mypy: enable-error-code="unused-result"\n' + CALLING)
        project.configure(mypy='disable_error_code = ["unused-result"]')
        assert project.mypy() == {("other.py", 4, "unused-result")}

    def test_a_file_comment_disables_a_code(self, project: Project) -> None:
        project.write(saving=SAVING, calling='# mypy: disable-error-code="unused-result"\n' + CALLING)
        assert project.mypy() == set()

    def test_a_code_can_be_disabled_on_the_command_line(self, project: Project) -> None:
        project.write(saving=SAVING, calling=CALLING)
        completed = project.run("-m", "mypy", "--disable-error-code", "unused-result", ".")
        assert completed.returncode == 0, project.output

    def test_a_disabled_code_changes_no_choice_of_an_overload(self, project: Project) -> None:
        project.configure(
            '[tool.returns_must_use]\nrailway-decorators = ["rails.railway"]',
            mypy='disable_error_code = ["unwrap-outside-railway"]',
        )
        project.write(
            saving=SAVING,
            rails=RAILS,
            calling="from saving import save\n\ntotal: int = sum([save().unwrap()])\n"
            'named: dict[str, int] = dict(save().map(lambda number: {"k": number}).unwrap() | {"k": 1})\n',
        )
        assert project.mypy() == set(), project.output


class TestCache:
    def test_a_second_run_reports_the_same(self, project: Project) -> None:
        project.write(saving=SAVING, calling=CALLING)
        assert project.mypy() == UNUSED
        assert project.mypy() == UNUSED

    @pytest.mark.parametrize(("text", "expected"), [(CALLING, UNUSED), (IN_A_FUNCTION, UNUSED_IN_A_FUNCTION)])
    def test_an_unchanged_file_sees_that_what_it_calls_now_returns_a_result(
        self, project: Project, text: str, expected: set[tuple[str, int, str]]
    ) -> None:
        project.write(saving=NOT_SAVING, calling=text)
        assert project.mypy() == set()
        project.write(saving=SAVING)
        assert project.mypy() == expected
        project.write(saving=NOT_SAVING)
        assert project.mypy() == set()

    def test_a_change_of_the_settings_checks_unchanged_files_again(self, project: Project) -> None:
        project.write(saving=SAVING, calling=CALLING)
        assert project.mypy() == UNUSED
        project.write(other="class Outcome: ...\n")
        project.configure('[tool.returns_must_use]\nresult-types = ["other.Outcome"]')
        assert project.mypy() == set()
        project.configure()
        assert project.mypy() == UNUSED


class TestDaemon:
    def check(self, project: Project) -> set[tuple[str, int, str]]:
        return project.reports(project.run("-m", "mypy.dmypy", "run", "--timeout", "60", "--", "."))

    def test_edits_between_runs(self, project: Project) -> None:
        project.write(saving=SAVING, calling=IN_A_FUNCTION)
        assert self.check(project) == UNUSED_IN_A_FUNCTION
        assert self.check(project) == UNUSED_IN_A_FUNCTION

        project.write(calling=IN_A_FUNCTION.replace("    save()", "    print(save())"))
        assert self.check(project) == set()

        project.write(calling=IN_A_FUNCTION.replace("    save()", "    pass\n    save()"))
        assert self.check(project) == {("calling.py", 5, "unused-result")}

    def test_an_edit_of_another_file(self, project: Project) -> None:
        project.write(saving=NOT_SAVING, calling=IN_A_FUNCTION)
        assert self.check(project) == set()
        project.write(saving=SAVING)
        assert self.check(project) == UNUSED_IN_A_FUNCTION
        project.write(saving=NOT_SAVING)
        assert self.check(project) == set()
        project.write(saving=SAVING, calling=CALLING)
        assert self.check(project) == UNUSED

    def test_results_come_to_a_file_that_had_none(self, project: Project) -> None:
        between = "from saving import save as save\n"
        calling = IN_A_FUNCTION.replace("saving", "between")
        project.write(saving=NOT_SAVING, between=between, calling=calling)
        assert self.check(project) == set()
        project.write(saving=SAVING)
        assert self.check(project) == UNUSED_IN_A_FUNCTION

    def test_a_match_follows_its_subject(self, project: Project) -> None:
        matching = (
            "from saving import save\nfrom returns.result import Failure, Success\n\n"
            "def main() -> int:\n    match save():\n        case Success(value):\n            return value\n"
            "        case Failure(_):\n            return 0\n"
        )
        project.write(saving=SAVING, calling=matching)
        assert self.check(project) == set()
        project.write(saving=SAVING.replace("-> Result[int, str]:", "-> Result[int, str] | None:"))
        assert self.check(project) == {("calling.py", 4, "return")}
        project.write(saving=SAVING)
        assert self.check(project) == set()


@pytest.mark.skipif(
    int(importlib.metadata.version("mypy").partition(".")[0]) < 2, reason="mypy checks in parallel from 2.0 on"
)
def test_parallel_workers(project: Project) -> None:
    project.write(saving=SAVING, calling=CALLING, other=IN_A_FUNCTION, third="import calling, other\n")
    expected = UNUSED | {("other.py", 4, "unused-result")}
    assert in_parallel(project) == expected, project.output
    assert in_parallel(project) == expected, project.output


def in_parallel(project: Project) -> Reports:
    """mypy gives up if a worker has not started after three seconds, which a busy machine may need."""
    for _ in range(10):
        completed = project.run("-m", "mypy", "--num-workers", "2", "--show-traceback", ".", expected=ANY_END)
        if "Cannot connect to build worker" not in project.output:
            assert completed.returncode in {0, 1}, project.output
            return project.reports(completed)
    pytest.fail(project.output)


class TestSettings:
    def test_alone_and_without_a_table_it_knows_the_results_of_returns(self, project: Project) -> None:
        project.configure(plugins=("returns_must_use",))
        project.write(
            saving=SAVING,
            calling=CALLING + "save().unwrap()\n",
            lazily="from returns.future import FutureResult\nfrom returns.io import IOResult\n\n"
            "def one() -> IOResult[int, str]:\n    return IOResult.from_value(1)\n\n"
            "def two() -> FutureResult[int, str]:\n    return FutureResult.from_value(1)\n\none()\ntwo()\n",
        )
        assert project.mypy() == UNUSED | {("lazily.py", 10, "unused-result"), ("lazily.py", 11, "unused-result")}

    def test_own_result_types(self, project: Project) -> None:
        project.configure('[tool.returns_must_use]\nresult-types = ["outcome.Ok", "outcome.Err"]')
        project.write(
            outcome="from dataclasses import dataclass\n\n@dataclass\nclass Ok:\n    value: int\n\n"
            "@dataclass\nclass Err:\n    why: str\n\nOutcome = Ok | Err\n",
            calling="from outcome import Ok, Outcome\n\n\ndef save() -> Outcome:\n    return Ok(1)\n\nsave()\n",
        )
        assert project.mypy() == {("calling.py", 7, "unused-result")}

    def test_names_may_be_those_of_a_module_that_passes_them_on(self, project: Project) -> None:
        project.configure(
            '[tool.returns_must_use]\nresult-types = ["facade.Outcome"]\nrailway-decorators = ["facade.railway"]'
        )
        project.write(
            rails=RAILS,
            facade="from rails import railway as railway\nfrom returns.result import Result\n\n"
            "Outcome = Result[int, str]\n",
            saving=SAVING,
            calling=CALLING
            + "from facade import railway\n\n@railway\ndef run() -> int:\n    return save().unwrap()\n\n"
            "def outside() -> int:\n    return save().unwrap()\n",
        )
        assert project.mypy() == UNUSED | {("calling.py", 11, "unwrap-outside-railway")}

    def test_globs_free_unwrap_relative_to_the_settings_file(self, project: Project) -> None:
        project.configure(
            '[tool.returns_must_use]\nrailway-decorators = ["rails.railway"]\nunwrap-free = ["tests/*", "conf*.py"]'
        )
        (project.root / "tests" / "deep").mkdir(parents=True)
        unwrapping = "from saving import save\n\nprint(save().unwrap())\nsave()\n"
        (project.root / "tests" / "deep" / "test_it.py").write_text(unwrapping)
        project.write(saving=SAVING, calling=unwrapping, conftest=unwrapping, rails=RAILS)
        assert project.mypy() == {
            ("calling.py", 3, "unwrap-outside-railway"),
            ("calling.py", 4, "unused-result"),
            ("conftest.py", 4, "unused-result"),
            ("tests/deep/test_it.py", 4, "unused-result"),
        }

    @pytest.mark.parametrize("name", ["mypy.ini", "setup.cfg"])
    def test_with_mypy_configured_in_another_file(self, project: Project, name: str) -> None:
        (project.root / "pyproject.toml").write_text(
            '[tool.returns_must_use]\nrailway-decorators = ["rails.railway"]\n'
        )
        (project.root / name).write_text("[mypy]\nplugins = returns_must_use\n")
        project.write(saving=SAVING, rails=RAILS, calling="from saving import save\n\nprint(save().unwrap())\n")
        assert project.mypy() == {("calling.py", 3, "unwrap-outside-railway")}

    def test_found_from_a_folder_below(self, project: Project, tmp_path: Path) -> None:
        project.configure('[tool.returns_must_use]\nresult-types = ["other.Outcome"]')
        project.write(saving=SAVING, calling=CALLING, other="class Outcome: ...\n")
        below = tmp_path / "below"
        below.mkdir()
        project.root = below
        assert project.reports(project.run("-m", "mypy", "--config-file", "../pyproject.toml", "..")) == set()

    @pytest.mark.parametrize(
        ("setting", "problem"),
        [
            ('result-type = ["a.B"]', "has no setting 'result-type'"),
            ('result-types = "a.B"', "needs a list of strings for 'result-types'"),
            ("unwrap-free = [1]", "needs a list of strings for 'unwrap-free'"),
            ("allow-underscore = 1", "needs true or false for 'allow-underscore'"),
            ('count-narrowed = "no"', "needs one of never, not-by-type, always for 'count-narrowed'"),
        ],
    )
    def test_a_wrong_setting_stops_mypy_with_a_clear_message(
        self, project: Project, setting: str, problem: str
    ) -> None:
        project.configure(f"[tool.returns_must_use]\n{setting}")
        project.write(saving=SAVING)
        assert f"pyproject.toml: error: [tool.returns_must_use] {problem}" in project.refusal()

    @pytest.mark.parametrize(
        ("setting", "problem"),
        [
            ('result-types = ["returns.result.Reslut"]', "there is no 'Reslut' in returns.result"),
            ('result-types = ["returns.reslut.Result"]', "there is no 'reslut' in returns"),
            ('result-types = ["outcome.Outcome"]', "there is no module 'outcome'"),
            ('result-types = ["Result"]', "it has no module"),
            ('railway-decorators = ["rails.railroad"]', "there is no 'railroad' in rails"),
        ],
    )
    def test_a_name_that_does_not_exist_stops_mypy(self, project: Project, setting: str, problem: str) -> None:
        project.configure(f"[tool.returns_must_use]\n{setting}")
        project.write(saving=SAVING, rails=RAILS)
        assert f", but {problem}" in project.refusal()

    def test_a_name_in_a_module_that_nothing_imports_exists(self, project: Project) -> None:
        project.configure(
            '[tool.returns_must_use]\nresult-types = ["shop.outcome.Outcome", "returns.result.Result"]\n'
            'railway-decorators = ["shop.rails.railway"]'
        )
        package = project.root / "src" / "shop"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "outcome.py").write_text("try:\n    Outcome = int | str\nexcept TypeError:\n    pass\n")
        (package / "rails.py").write_text(RAILS)
        project.write(saving=SAVING, calling=CALLING)
        assert project.reports(project.run("-m", "mypy", "calling.py", "src/shop/__init__.py")) == UNUSED

    def test_underscore_as_the_way_to_drop(self, project: Project) -> None:
        project.configure("[tool.returns_must_use]\nallow-underscore = true")
        project.write(
            saving=SAVING,
            calling="from saving import save\n\n_ = save()\n\ndef main() -> None:\n    _ = save()\n"
            "    first, _ = save(), save()\n    for _ in [save()]:\n        print(first)\n    other = save()\n",
        )
        assert project.mypy() == {("calling.py", 10, "unused-result")}

    @pytest.mark.parametrize(
        ("counts", "lines"), [("never", {11}), ("not-by-type", {8, 10, 11}), ("always", {6, 8, 10, 11})]
    )
    def test_which_narrowed_unwraps_count(self, project: Project, counts: str, lines: set[int]) -> None:
        project.configure(
            f'[tool.returns_must_use]\nrailway-decorators = ["rails.railway"]\ncount-narrowed = "{counts}"'
        )
        project.write(
            saving=SAVING,
            rails=RAILS,
            calling="from returns.pipeline import is_successful\nfrom returns.result import Result, Success\n\n"
            "def main(result: Result[int, str]) -> object:\n    if isinstance(result, Success):\n"
            "        return result.unwrap()\n    if not is_successful(result):\n        return result.failure()\n"
            "    if result:\n        print(result.unwrap())\n    return result.failure()\n",
        )
        assert project.mypy() == {("calling.py", line, "unwrap-outside-railway") for line in lines}


def test_a_statement_that_pytest_expects_to_raise_has_no_value(project: Project) -> None:
    project.write(
        saving=SAVING,
        calling="import pytest\nfrom saving import save\n\nwith pytest.raises(ValueError, match='why'):\n    save()\n"
        "with pytest.raises(ValueError):\n    save()\n    save()\n",
    )
    assert project.mypy() == {("calling.py", 7, "unused-result")}


def test_pytest_may_be_missing_where_mypy_runs(project: Project) -> None:
    project.configure(mypy='[[tool.mypy.overrides]]\nmodule = "pytest"\nfollow_imports = "skip"')
    project.write(
        saving=SAVING,
        calling="import pytest\nfrom pytest import raises\nfrom saving import save\n\n"
        "def test_it() -> None:\n    with pytest.raises(ValueError):\n        save()\n"
        "    with raises(ValueError):\n        save()\n    with pytest.warns(UserWarning):\n        save()\n",
    )
    assert project.mypy() == {("calling.py", 11, "unused-result")}


@pytest.mark.parametrize("framework", ["fastapi", "starlette"])
def test_tasks_that_a_web_framework_runs_in_the_background(project: Project, framework: str) -> None:
    package = project.root / framework
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "background.py").write_text(
        "from collections.abc import Callable\nfrom typing import Any, ParamSpec\n\nP = ParamSpec('P')\n\n"
        "class BackgroundTasks:\n"
        "    def add_task(self, func: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None: ...\n"
    )
    project.write(
        saving=SAVING,
        calling=f"from {framework}.background import BackgroundTasks\nfrom saving import save\n\n"
        "def plan(tasks: BackgroundTasks) -> None:\n    tasks.add_task(save)\n    tasks.add_task(print, save())\n",
    )
    assert project.mypy() == {("calling.py", 5, "unused-result")}, project.output


def test_template_strings(project: Project) -> None:
    project.configure(mypy='python_version = "3.14"')
    project.write(saving=SAVING, calling='from saving import save\n\nt"{save()}"\nprint(t"{save()}")\n')
    assert project.mypy() == UNUSED


@pytest.mark.parametrize("mark", ["# %%", "# %% [markdown]", "# In[2]:", "# %%NBQA-CELL-SEPfc2309"])
def test_the_last_expression_of_a_notebook_cell_is_shown(project: Project, mark: str) -> None:
    project.write(
        saving=SAVING,
        calling=f"{mark}\nfrom saving import save\n\nsave()\nsave()\n{mark}\nsave();\n{mark}\n"
        f"if save():\n    save()\n{mark}\nsave()\n",
    )
    assert project.mypy() == {("calling.py", line, "unused-result") for line in (4, 7, 10)}


class TestOtherPlugins:
    OTHER = """
from mypy.plugin import Plugin

class Other(Plugin):
    def get_method_hook(self, fullname):
        if fullname == "returns.result.Result.unwrap":
            return lambda ctx: ctx.api.named_generic_type("builtins.bool", [])

def plugin(version):
    return Other
"""

    @pytest.mark.parametrize("order", [("./other.py", "returns_must_use"), ("returns_must_use", "./other.py")])
    def test_a_hook_of_another_plugin_for_the_same_method_still_works(
        self, project: Project, order: tuple[str, ...]
    ) -> None:
        project.configure(plugins=order)
        project.write(
            saving=SAVING,
            other=f"# mypy: ignore-errors\n{self.OTHER}",
            calling="from saving import save\n\nanswer: bool = save().unwrap()\n",
        )
        assert project.mypy() == set(), project.output

    def test_functools_partial_keeps_its_types(self, project: Project) -> None:
        project.write(
            saving=SAVING,
            calling="from functools import partial\nfrom saving import save\n\n"
            "number: int = partial(save)().value_or(0)\npartial(save, 1)\n",
        )
        assert project.mypy() == {("calling.py", 5, "call-arg")}

    def test_no_probe_is_left_where_mypy_warns_about_unreachable_statements(self, project: Project) -> None:
        project.configure(mypy="warn_unreachable = true")
        project.write(
            calling="import sys\n\n\ndef leave() -> int:\n    sys.exit(1)\n\n\nprint(leave())\nsys.exit(0)\n",
        )
        assert project.mypy() == set(), project.output

"""What dbt does anew for each of hundreds of nodes although it comes out the same, done once: half of dbt's own CPU time.

`server.py` takes these. Each function replaces a piece of one release of dbt by one with the same result; tests/test_warm_dbt.py builds
a world with both and compares all that they make, and so does every test that builds a world, without comparing.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Set
from types import UnionType
from typing import Any

import jinja2
from dbt.clients.jinja import MacroGenerator
from dbt.compilation import Compiler, Linker
from dbt.config import RuntimeConfig
from dbt.context import providers
from dbt.context.macros import MacroNamespace
from dbt.context.manifest import ManifestContext
from dbt.contracts.graph.manifest import Manifest
from dbt.graph import Graph
from dbt.graph.selector_methods import QualifiedNameSelectorMethod
from dbt.plugins.manager import PluginManager
from dbt_common.clients import agate_helper
from dbt_common.clients.jinja import (
    MacroFuzzEnvironment,
    MacroFuzzTemplate,
    NativeSandboxTemplate,
    get_template,
    template_cache,
)
from dbt_common.events.base_types import BaseEvent
from dbt_common.events.event_manager_client import get_event_manager

RELEASES = {"dbt-core": "1.11.16", "dbt-common": "1.39.0"}  # whose pieces these replace
# What dbt prints although it is to be quiet.
SHOWN = {"PrintEvent", "ShowNode", "CompiledNode"}
Packages = Mapping[str, Mapping[str, Any]]  # macros by package and name


def take() -> None:
    """Take every shortcut that nobody can see, for the rest of this process and its forks."""
    for owner, name, ours in (
        (ManifestContext, "_build_namespace", _build_namespace),
        (ManifestContext, "to_dict", _to_dict),
        (NativeSandboxTemplate, "new_context", MacroFuzzTemplate.new_context),  # it would copy what a template sees
        (MacroFuzzEnvironment, "compile", _each_source_once(MacroFuzzEnvironment.compile)),
        (agate_helper, "build_type_tester", _each_tester_once(agate_helper.build_type_tester)),
        # the result of a statement without rows
        (agate_helper, "empty_table", functools.cache(agate_helper.empty_table)),
        (providers, "args_to_dict", _of_the_last(providers.args_to_dict)),
        (PluginManager, "get_prefixed_modules", functools.cache(PluginManager.get_prefixed_modules)),
        (QualifiedNameSelectorMethod, "search", _among_those_named_so(QualifiedNameSelectorMethod.search)),
    ):
        setattr(owner, name, ours)


def without_events_nobody_reads(levels: UnionType | type[BaseEvent]) -> None:
    """dbt writes each of its thousands of events into a protobuf message; those of these levels go to a log."""
    of_any_level, manager = BaseEvent.__init__, type(get_event_manager())
    fire = manager.fire_event

    def is_read(event: BaseEvent) -> bool:
        return not isinstance(event, levels) or type(event).__name__ in SHOWN

    def begin(event: BaseEvent, *arguments: Any, **fields: Any) -> None:
        if is_read(event):
            of_any_level(event, *arguments, **fields)

    def fire_others(self: Any, event: BaseEvent, *arguments: Any, **options: Any) -> None:
        if is_read(event):
            fire(self, event, *arguments, **options)

    for owner, name, ours in ((BaseEvent, "__init__", begin), (manager, "fire_event", fire_others)):
        setattr(owner, name, ours)


def compile_templates(parsed: Manifest) -> None:
    """Compile the macros and models of a project, for every fork."""
    for macro in parsed.macros.values():
        template_cache.get_node_template(macro)
    for node in parsed.nodes.values():
        get_template(node.raw_code, {}, node)


def link_nodes(parsed: Manifest) -> None:
    """Make the graph of a project, without its tests in the way and with them, for every fork."""
    graphs, compile_, nodes = {}, Compiler.compile, len(parsed.nodes)
    for with_tests in (False, True):
        linker = Linker()
        linker.link_graph(parsed)
        if with_tests:
            parsed.build_parent_and_child_maps()
            linker.add_test_edges(parsed)
        graphs[with_tests] = Graph(linker.graph)

    def linked(self: Compiler, manifest: Manifest, write: bool = True, add_test_edges: bool = False) -> Graph:
        if manifest is parsed and len(manifest.nodes) == nodes:  # `compile --inline` adds one
            return graphs[add_test_edges]
        return compile_(self, manifest, write, add_test_edges)

    setattr(Compiler, "compile", linked)  # noqa: B010 - a method


class Late(dict):
    """What a template sees by name, each made when it is first asked for, and whatever else is put here.

    dbt makes 800 macros and 60 other things for each node, twice, which asks for a dozen.
    """

    def __init__(self, others: Mapping[str, Any], *sources: tuple[Mapping[str, Any], Callable[[Any], Any]]) -> None:
        super().__init__(others)
        self.sources = sources

    def __missing__(self, name: str) -> Any:
        for found, make in self.sources:
            if name in found:
                made = self[name] = make(found[name])
                return made
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        if dict.__contains__(self, name):
            return True
        for found, _ in self.sources:  # noqa: SIM110 - thousands of times in a build
            if name in found:
                return True
        return False

    def get(self, name: str, default: Any = None) -> Any:
        """As of any dictionary."""
        try:
            return self[name]
        except KeyError:
            return default


class Namespace(Late):
    """What dbt's class of this name finds in five places one after the other: macros of the project, then of dbt."""

    get_from_package = MacroNamespace.get_from_package

    def __init__(self, packages: Packages, internal: list[str], order: tuple[str, ...], make: Callable) -> None:
        of_dbt, self.found = _found(packages, internal, order)
        self.packages = {name: Late({}, (packages[name], make)) for name in packages if name not in internal}
        self.global_project_namespace = Late({}, (of_dbt, make))
        super().__init__({"dbt": self.global_project_namespace} | self.packages, (self.found, make))


FOUND: dict[tuple, tuple[Packages, dict[str, Any], dict[str, Any]]] = {}


def _found(packages: Packages, internal: list[str], order: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Macros by name: of dbt and its adapter, and all; the earlier package's count. Holds the packages, lest another gets their id."""
    key = (id(packages), order)
    if key not in FOUND:
        of_dbt = {name: macro for package in reversed(internal) for name, macro in packages.get(package, {}).items()}
        ours = {name: macro for package in reversed(order) for name, macro in packages.get(package, {}).items()}
        FOUND[key] = packages, of_dbt, of_dbt | ours
    return FOUND[key][1:]


def _build_namespace(self: ManifestContext) -> Namespace:
    builder = self._get_namespace_builder()
    internal, order = builder.internal_package_names_order, (builder.search_package, builder.root_package)

    def make(macro: Any) -> MacroGenerator:
        return MacroGenerator(macro, self._ctx, builder.node, builder.thread_ctx)

    def given(member: Any) -> Any:
        return member.__get__(self) if hasattr(member, "__get__") else member

    if isinstance(self.config, RuntimeConfig):
        self.config.load_dependencies()  # dbt does this on the way to `var`, and relies on it when it looks for macros
    namespace = Namespace(self.manifest.get_macros_by_package(), internal, order, make)
    members = type(self)._context_members_
    self._ctx = Late(self._ctx, (namespace.found, make), (members, given))
    self._ctx |= {"context": self._ctx, "builtins": Late({}, (members, given)), **namespace}
    return namespace


TO_DICT = ManifestContext.to_dict


def _to_dict(self: ManifestContext) -> dict[str, Any]:
    return self._ctx if isinstance(self.namespace, Namespace) else TO_DICT(self)


def _each_source_once(compiled: Callable) -> Callable:
    """A template's code depends on its source and the kind of environment: dbt makes a new environment, of few kinds, each time."""
    known: dict[tuple, Any] = {}

    @functools.wraps(compiled)
    def once(self: jinja2.Environment, source: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(source, str) or arguments or options:
            return compiled(self, source, *arguments, **options)
        key = (type(self), self.undefined is jinja2.Undefined, source)
        if key not in known:
            known[key] = compiled(self, source)
        return known[key]

    return once


def _each_tester_once(built: Callable) -> Callable:
    """What recognises types of values is the same for each query, and takes as long to set up as a small query."""

    @functools.cache
    def of_columns(text_columns: tuple, string_null_values: tuple) -> Any:
        return built(text_columns, string_null_values)

    @functools.wraps(built)
    def once(text_columns: Any, string_null_values: Any = ("null", "")) -> Any:
        return of_columns(tuple(sorted(text_columns)), tuple(string_null_values))

    return once


def _of_the_last(asked: Callable[[Any], dict]) -> Callable[[Any], dict]:
    """The arguments of an invocation as a dictionary: there is one invocation, and each node has a copy."""
    last: list[tuple[Any, dict]] = []

    @functools.wraps(asked)
    def once(arguments: Any) -> dict:
        if not last or last[0][0] is not arguments:
            last[:] = [(arguments, asked(arguments))]
        return dict(last[0][1])

    return once


def _among_those_named_so(searched: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
    """A name without dots and wildcards can only mean what has it in its path; dbt tries each name with each node, twice."""
    last: list[tuple[Manifest, dict[str, list[str]]]] = []

    @functools.wraps(searched)
    def search(self: QualifiedNameSelectorMethod, included_nodes: Set[str], selector: str) -> Iterator[str]:
        if not selector.isidentifier():
            return searched(self, included_nodes, selector)
        if not last or last[0][0] is not self.manifest:
            last[:] = [(self.manifest, _by_part_of_path(self))]
        named = last[0][1].get(selector, [])
        return searched(self, {unique_id for unique_id in named if unique_id in included_nodes}, selector)

    return search


def _by_part_of_path(selectors: QualifiedNameSelectorMethod) -> dict[str, list[str]]:
    manifest, found = selectors.manifest, defaultdict[str, list[str]](list)
    kinds = ("nodes", "exposures", "metrics", "unit_tests", "semantic_models", "saved_queries", "functions")
    everything = {unique_id for kind in kinds for unique_id in getattr(manifest, kind)}
    for unique_id, node in selectors.non_source_nodes(everything):
        for part in {part for segment in node.fqn for part in segment.split(".")}:
            found[part].append(unique_id)
    return found

"""All groups of commands, in the order in which `tiersync --help` lists them."""

from __future__ import annotations

from typing import Final

from node.cli import (
    catalogues,
    checks,
    clones,
    codes,
    divisions,
    dues,
    exporting,
    golive,
    invites,
    jobs,
    loading,
    mapping,
    previews,
    quality,
    reconcile,
    rehearse,
    rollups,
    rows,
    setup,
    sources,
    state,
    statement,
    tasks,
    tokens,
)
from node.cli.verbs import Verbs

ALL: Final[tuple[Verbs, ...]] = (
    setup.VERBS,
    golive.VERBS,
    invites.VERBS,
    state.VERBS,
    jobs.VERBS,
    statement.VERBS,
    loading.VERBS,
    loading.LOADS,
    mapping.VERBS,
    sources.SOURCES,
    rows.VERBS,
    exporting.VERBS,
    rollups.ROLLUPS,
    dues.DUES,
    tasks.TASKS,
    quality.QUALITY,
    tasks.FLOWS_GROUP,
    tokens.TOKENS,
    catalogues.VERBS,
    codes.VERBS,
    divisions.VERBS,
    previews.VERBS,
    checks.VERBS,
    checks.AUDIT,
    reconcile.VERBS,
    clones.CLONES,
    rehearse.VERBS,
)

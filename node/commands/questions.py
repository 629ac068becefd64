"""The questions by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from node.commands.attachments import list_attachments, show_attachment
from node.commands.calendar import find_due, list_days
from node.commands.codes import list_codes, list_extensions, show_code
from node.commands.drafts import list_drafts, show_draft
from node.commands.grades import list_grades
from node.commands.lists import list_parked, list_refused, list_reread
from node.commands.loads import list_loads, list_rejects
from node.commands.people import list_people
from node.commands.quality_list import list_issues
from node.commands.rollups import list_rollups
from node.commands.services import list_services
from node.commands.sources import list_claimed, list_sources
from node.commands.statement import statement
from node.commands.subscription_list import list_subscriptions, show_subscription
from node.commands.tasks import list_tasks, show_task
from node.commands.tokens import list_tokens
from node.commands.trace import trace
from node.commands.unload import plan_unload
from node.commands.view import Question

QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "loads": list_loads,
        "rejects": list_rejects,
        "sources": list_sources,
        "source.claimed": list_claimed,
        "unload.plan": plan_unload,
        "task.list": list_tasks,
        "task.show": show_task,
        "draft.list": list_drafts,
        "draft.show": show_draft,
        "people.list": list_people,
        "statement": statement,
        "service.list": list_services,
        "subscription.list": list_subscriptions,
        "subscription.show": show_subscription,
        "quality.list": list_issues,
        "trace": trace,
        "rollup.list": list_rollups,
        "parked": list_parked,
        "refused": list_refused,
        "reread": list_reread,
        "child.grades": list_grades,
        "codes.list": list_codes,
        "codes.show": show_code,
        "codes.extensions": list_extensions,
        "token.list": list_tokens,
        "attachment.list": list_attachments,
        "attachment.show": show_attachment,
        "calendar.days": list_days,
        "calendar.due": find_due,
    }
)

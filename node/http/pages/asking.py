"""What the pages ask the node: the same questions as the command line and the API, within the time of one reader."""

from __future__ import annotations

from typing import Any

from node.app import Node
from node.commands.view import Arguments, Question
from node.commands.work import view_of
from node.http.api.endpoint import READ_S
from node.http.pages.door import Visit


async def ask(visit: Visit, question: Question, arguments: Arguments) -> dict[str, Any]:
    """The answer to a question. Raises as the question, and UserFault where it reads for too long."""
    node = visit.node
    return await node.read(lambda reader: question(view_of(node, reader), arguments), READ_S)


def tree_of(node: Node) -> list[dict[str, Any]]:
    """Name, title and place of every node that the registry shows."""
    found = [node.core().registry.newest(one.node) for one in node.core().registry.nodes()]
    return [{"node": e.node, "parent": e.parent, "region": e.region, "title": e.title} for e in found if e is not None]

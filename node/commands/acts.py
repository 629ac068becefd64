"""Which act each command is: the one place where permission is asked. A command that does not stand here runs for
administrators alone, and a test asks for its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tiers.people import Act

_BY_ACT: Mapping[Act, str] = {
    Act.SEE: """
        standing loads rejects sources source.claimed unload.plan task.list task.show statement service.list
        service.offerable quality.list trace rollup.list rollup.show parked refused reread codes.list codes.show
        codes.extensions due.list due.position child.grades draft.list draft.show people.list
        calendar.due calendar.days attachment.list attachment.show task.evidence task.stats
        subscription.list subscription.show maintenance.list""",
    Act.BRING: """
        load.start load.rejects load.finish source.begin source.load source.took source.failed source.reset
        source.unclaim source.compared unload rollup.run quality.mark quality.answer quality.close quality.reopen
        attachment.remove attachment.fetch""",
    Act.WORK: "task.move task.split due.remind draft.drop",
    Act.ASSIGN: "task.assign task.default",
    Act.APPROVE: "draft.approve draft.refuse",
    Act.OPERATE: "fsck reconcile",
    Act.ADMINISTER: """
        service.publish service.withdraw token.list token.make token.revoke child.succeed task.pass_over
        child.suspend child.resume certificate.renew
        invite.make invite.make_many invite.list invite.withdraw invite.approve
        people.add people.change people.deputy people.leave maintenance.announce maintenance.cancel
        subscription.apply subscription.check subscription.approve subscription.refuse subscription.withdraw
        subscription.dispute subscription.uphold subscription.overrule""",
}
ACTS: Mapping[str, Act] = MappingProxyType({name: act for act, names in _BY_ACT.items() for name in names.split()})

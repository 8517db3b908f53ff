"""Whether CAA records let a CA issue.

Source: RFC 8659 3; reference cert-manager.md 3.5 (gate ValidateCAA).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dns.name
import dns.rdatatype

from certwright.acme.questions import Done, NotYet, ValidateCaa
from certwright.adapters.dns.queries import ask, nameservers_or_default

__all__ = ["validate_caa"]


async def validate_caa(question: ValidateCaa, identities: Sequence[str]) -> Done | NotYet:
    """Look at the records of the closest name that has some; a CA without identities may issue.

    Raises:
        DnsError: Nobody answers.
    """
    servers = nameservers_or_default(question.nameservers)
    here = dns.name.from_text(question.domain)
    while identities and here != dns.name.root:
        answer = await ask(str(here), "CAA", servers)
        records = [
            item for found in answer.answer if found.rdtype == dns.rdatatype.CAA for item in found
        ]
        if records:
            return _verdict(records, question, identities)
        here = here.parent()
    return Done()


def _verdict(
    records: Sequence[Any], question: ValidateCaa, identities: Sequence[str]
) -> Done | NotYet:
    issue = [item for item in records if item.tag.lower() == b"issue"]
    wild = [item for item in records if item.tag.lower() == b"issuewild"]
    counted = wild if question.wildcard and wild else issue
    known = {b"issue", b"issuewild", b"iodef"}
    if any(item.flags & 128 and item.tag.lower() not in known for item in records):
        return NotYet(f"a critical CAA record of {question.domain} is of a kind nobody knows")
    allowed = {item.value.decode(errors="replace").partition(";")[0].strip() for item in counted}
    if not counted or allowed.intersection(identities):
        return Done()
    return NotYet(
        f"CAA record does not match issuer: {question.domain} lets {', '.join(sorted(allowed))} "
        f"issue, the CA is {', '.join(identities)}"
    )

"""The search language by brute force: every span of every trace, one object each, no shortcuts.

Written from the language's own description, without a look at how the store does it.
"""

from fakes.language_oracle.answer import answer, run
from fakes.language_oracle.spans import OracleSpan, oracle_spans

__all__ = ["OracleSpan", "answer", "oracle_spans", "run"]

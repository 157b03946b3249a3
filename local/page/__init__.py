"""The page of the stack: a frontend to try the service with, and what operations do and see.

======================  ==========================================================================
`server`                the files, the operator's actions and who may use them, the stream
`operations`            what the buttons of operations do, through the doors that people use
`broken_tokens`         tokens that ZEGO refuses, to try and to have explained
`feed`                  what the parts of the stack say, as messages for the page
`sse`                   those messages as server-sent events
`web/`                  the page itself: HTML, a style sheet and ES modules, served as they are
======================  ==========================================================================

The frontend's side talks to the API, the identity provider and the stand-in for ZEGO by itself, as
any page would, and has its tokens by `clients/javascript`. No value of a secret reaches the page.
"""

from __future__ import annotations

from local.page.server import Page, StackView

__all__ = ["Page", "StackView"]

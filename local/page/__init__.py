"""The page of the stack: a frontend to try the service, and an operator's view of it.

======================  ==========================================================================
`server`                the files, the operator's actions and who may use them, the stream
`operations`            what the operators' buttons do, through the interfaces operators use
`broken_tokens`         tokens that ZEGO refuses, to try and to inspect
`feed`                  turns what happens in the stack into messages for the page
`sse`                   sends those messages as server-sent events
`web/`                  the page itself: HTML, a style sheet and ES modules, served as they are
======================  ==========================================================================

The frontend's side calls the API, the identity provider and the stand-in for ZEGO directly, as any
page does, and gets its tokens with `clients/javascript`. No secret's value reaches the page.
"""

from __future__ import annotations

from local.page.server import Page, StackView

__all__ = ["Page", "StackView"]

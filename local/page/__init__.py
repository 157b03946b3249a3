"""The page of the stack: two phones that call each other, and their operators' view.

======================  ==========================================================================
`server`                the files, the operator's actions and who may use them, the stream
`operations`            what the operators' buttons do, through the interfaces operators use
`broken_tokens`         tokens that ZEGO refuses, to try and to inspect
`feed`                  turns what happens in the stack into messages for the page
`sse`                   sends those messages as server-sent events
`web/`                  the page itself: HTML, a style sheet and ES modules, served as they are
======================  ==========================================================================

The phones call the API, the identity provider and the stand-in for ZEGO directly, as any page does,
and get their tokens with `clients/javascript`. For what apps do with their own server or with
ZIM, such as declining a call, they use this server. No secret's value reaches the page.
"""

from __future__ import annotations

from local.page.server import Page, StackView

__all__ = ["Page", "StackView"]

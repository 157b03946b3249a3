"""The watcher: checks whether ZEGO accepts the current secret; if not, reports and heals it."""

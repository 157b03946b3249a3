"""`zego-token inspect`: why ZEGO refuses a token, and what to do."""

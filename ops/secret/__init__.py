"""`zego-token secret`: stage a ServerSecret, rotate to it, show its status."""

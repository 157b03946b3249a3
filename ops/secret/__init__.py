"""`zego-token secret`: stage a ServerSecret, rotate to it, see how the secret stands."""

"""What every Lambda function of ours shares. It imports nothing of ours but ``zego``."""

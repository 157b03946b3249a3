"""What all Lambda functions share: settings and telemetry. It imports only the package ``zego``."""

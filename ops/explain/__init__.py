"""`zego-token explain`: what ZEGO's error codes stand for."""

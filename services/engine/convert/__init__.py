"""Qdrant's protobuf on one side, Qdrant Edge's types on the other. No other package knows both."""

"""Broken policies, each with the law that must kill it, and odd ones that no law may kill."""

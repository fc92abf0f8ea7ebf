"""Measure the API beside two Node.js services that answer the same requests from the same data."""

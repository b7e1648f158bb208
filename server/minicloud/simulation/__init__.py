"""Trying a policy on files: a fleet, a trace of requests, and what the scheduler makes of them, without a service."""

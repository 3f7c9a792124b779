"""The booking rules as a whole: under a storm of requests, and against a model."""

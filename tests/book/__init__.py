"""The rules of the book as a whole: under a storm of requests, and against a model of them."""

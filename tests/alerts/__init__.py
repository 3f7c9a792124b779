"""The rules for Prometheus in `deploy/prometheus/`, judged by Prometheus' own promtool.

promtool is the Go module that go.mod and go.sum pin; where Go is missing, these tests are skipped.
"""

"""Settings: how much of an ingress its clients may use."""

from pydantic import Field
from pydantic_settings import BaseSettings


class HttpLimits(BaseSettings):
    """A part of `infra.settings.Settings`. Units are in the names.

    A request costs a unit, and computing free slots more: a unit is about a quarter of a millisecond of an
    ingress's processor, 60,000 in a minute a quarter of a core.
    """

    requests_per_network_minute: int = Field(
        default=60_000, ge=1, description="units, of those who are not logged in; then 429"
    )
    requests_per_patient_minute: int = Field(default=20_000, ge=1, description="units; then 429")
    requests_per_staff_minute: int = Field(default=60_000, ge=1, description="units of one person; then 429")
    patient_commands_per_day: int = Field(default=1_000, ge=1, description="of each patient; then 429")

    http_head_bytes_max: int = Field(default=16 * 1024, ge=1_024, description="target and headers; else 431")
    http_header_count_max: int = Field(default=100, ge=1, description="with more, the response is 431")
    http_head_timeout_s: float = Field(default=10.0, gt=0, description="from the first byte on; then 408")
    http_body_timeout_s: float = Field(default=30.0, gt=0, description="for the whole body, then 408")
    http_idle_timeout_s: float = Field(default=75.0, gt=0, description="longer than load balancers' (60 s)")
    http_connections_max: int = Field(default=4_000, ge=1, description="of each ingress; then 503")
    login_challenges_per_network_hour: int = Field(default=100, ge=1, description="codes asked for")
    login_failures_per_network_hour: int = Field(default=100, ge=1, description="then it is refused")
    login_failures_alert_hour: int = Field(default=1_000, ge=1, description="of all: with more, an alert")
    streams_per_person_max: int = Field(default=10, ge=1, description="event streams of one person")
    streams_per_network_max: int = Field(default=100, ge=1, description="those that are open to anyone")
    streams_max: int = Field(default=1_000, ge=1, description="of each ingress, of people and of networks")

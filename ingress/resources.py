"""The resources of a running ingress: opened by `ingress.main`, used by every endpoint."""

import asyncio
from dataclasses import dataclass

import asyncpg
from fastapi import Request
from redis.asyncio import Redis

from infra.keys import Keys
from infra.service import Service
from infra.settings import Settings
from infra.signing_keys import SigningKeys
from infra.tokens import TokenChecker
from ingress.audit.refused_access import RefusedAccess
from ingress.audit.security_log import SecurityLog
from ingress.availability.cache import AvailabilityCache
from ingress.commands.command_log import CommandLog
from ingress.commands.daily_cap import DailyCap
from ingress.commands.decisions import Decisions
from ingress.event_stream.feed import EventFeed
from ingress.event_stream.places import StreamPlaces
from ingress.login.challenges import Challenges
from ingress.login.limits import LoginLimits
from ingress.login.passkeys.challenges import PasskeyChallenges
from ingress.login.passkeys.relying_party import RelyingParty
from ingress.login.revoked import Revoked
from ingress.pages.files import Pages
from ingress.patients.forgetting import Forgetting
from ingress.request_limits.budgets import RequestLimits
from ingress.request_limits.turns import Turns
from storage.login.calendar_links import CalendarLinks
from storage.login.passkeys import Passkeys
from storage.login.sessions import Sessions
from storage.login.staff import StaffLogins
from storage.notes import Notes
from storage.patient_finder import PatientFinder
from storage.patients import Patients


@dataclass(frozen=True)
class Resources:
    """Everything that endpoints use."""

    settings: Settings
    service: Service
    keys: Keys
    signing_keys: SigningKeys
    tokens: TokenChecker
    pool: asyncpg.Pool
    redis: Redis
    request_limits: RequestLimits
    turns: Turns
    figures: asyncio.Semaphore
    log: CommandLog
    daily_cap: DailyCap
    security: SecurityLog
    refused_access: RefusedAccess
    decisions: Decisions
    patients: Patients
    patient_finder: PatientFinder
    notes: Notes
    sessions: Sessions
    staff_logins: StaffLogins
    revoked: Revoked
    challenges: Challenges
    login_limits: LoginLimits
    passkeys: Passkeys
    calendar_links: CalendarLinks
    passkey_challenges: PasskeyChallenges
    relying_party: RelyingParty
    availability: AvailabilityCache
    feed: EventFeed
    stream_places: StreamPlaces
    open_stream_places: StreamPlaces
    forgetting: Forgetting
    pages: Pages


def resources(request: Request) -> Resources:
    """The application's resources."""
    found = request.app.state.resources
    assert isinstance(found, Resources), "set by ingress.main"
    return found

"""What patients read: a letter in, a mail or a text message out. Pure: no I/O, no clock."""

from notifier.content.letters import Clinic, Kind, Letter, Recipient, Visit
from notifier.content.mail import compose_mail
from notifier.content.sms import compose_sms

__all__ = ["Clinic", "Kind", "Letter", "Recipient", "Visit", "compose_mail", "compose_sms"]

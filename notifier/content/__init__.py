"""All that patients read: turns a notification into a mail or a text message. Pure: no I/O, no clock."""

from notifier.content.mail import Mail, compose_mail
from notifier.content.notification import (
    Clinic,
    Kind,
    Notification,
    Recipient,
    Visit,
    login_code_id,
    notification_id,
)
from notifier.content.sms import compose_sms

__all__ = [
    "Clinic",
    "Kind",
    "Mail",
    "Notification",
    "Recipient",
    "Visit",
    "compose_mail",
    "compose_sms",
    "login_code_id",
    "notification_id",
]
